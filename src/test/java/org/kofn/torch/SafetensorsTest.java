package org.kofn.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

class SafetensorsTest {
    @TempDir
    Path dir;

    private static final List<ScalarType> TYPES = List.of(
            ScalarType.Double,
            ScalarType.Float,
            ScalarType.Half,
            ScalarType.BFloat16,
            ScalarType.Long,
            ScalarType.Int,
            ScalarType.Short,
            ScalarType.Char,
            ScalarType.Byte,
            ScalarType.Bool);

    @Test
    void everyTypeComesBackBitForBit() {
        Path file = dir.resolve("all.safetensors");
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, byte[]> bytes = new LinkedHashMap<>();
        Random random = new Random(7);
        for (ScalarType type : TYPES) {
            for (long[] shape : List.of(new long[] {3, 5}, new long[] {}, new long[] {0, 4}, new long[] {7})) {
                String name = type + Arrays.toString(shape);
                byte[] data = new byte[elements(shape) * size(type)];
                random.nextBytes(data); // NaN payloads, infinities and −0.0 included
                if (type == ScalarType.Bool) {
                    for (int i = 0; i < data.length; i++) {
                        data[i] &= 1;
                    }
                }
                tensors.put(name, Tensors.ofBytes(data, type, shape));
                bytes.put(name, data);
            }
        }
        Map<String, String> metadata = Map.of("recipe", "a: 1\nb: \"ü\"\n", "empty", "");
        Safetensors.write(file, tensors, metadata);

        try (Safetensors back = Safetensors.read(file)) {
            assertThat(back.metadata()).isEqualTo(metadata);
            assertThat(back.tensors().keySet()).containsExactlyElementsOf(tensors.keySet());
            tensors.forEach((name, tensor) -> {
                Tensor read = back.tensors().get(name);
                assertThat(read.scalar_type().intern())
                        .as(name)
                        .isEqualTo(tensor.scalar_type().intern());
                assertThat(Tensors.shape(read)).as(name).isEqualTo(Tensors.shape(tensor));
                assertThat(Tensors.bytes(read)).as(name).isEqualTo(bytes.get(name));
            });
        }
    }

    @Test
    void theLayoutIsTheOneOthersRead() throws IOException {
        Path file = dir.resolve("layout.safetensors");
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("b", Tensors.of(new float[] {1, -2}, 2));
        tensors.put("a", Tensors.of(new byte[] {7}, 1));
        Safetensors.write(file, tensors, Map.of());

        ByteBuffer raw = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int header = Math.toIntExact(raw.getLong());
        assertThat(header % 8).isZero();
        byte[] json = new byte[header];
        raw.get(json);
        assertThat(new String(json, StandardCharsets.UTF_8).stripTrailing())
                .isEqualTo("{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                        + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}");
        assertThat(raw.getFloat()).isEqualTo(1f);
        assertThat(raw.getFloat()).isEqualTo(-2f);
        assertThat(raw.get()).isEqualTo((byte) 7);
        assertThat(raw.hasRemaining()).isFalse();
    }

    @Test
    void aTransposedViewIsWrittenInItsOwnOrder() {
        Path file = dir.resolve("view.safetensors");
        Tensor view = Tensors.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).t();
        Safetensors.write(file, Map.of("t", view), Map.of());
        try (Safetensors back = Safetensors.read(file)) {
            assertThat(Tensors.floats(back.tensors().get("t"))).containsExactly(1, 4, 2, 5, 3, 6);
        }
    }

    @Test
    void tensorsOutliveTheScopeInWhichTheyWereRead() {
        Path file = dir.resolve("scope.safetensors");
        Safetensors.write(file, Map.of("x", Tensors.of(new float[] {3, 4}, 2)), Map.of());
        Safetensors back;
        try (PointerScope scope = new PointerScope()) {
            back = Safetensors.read(file);
        }
        assertThat(Tensors.floats(back.tensors().get("x"))).containsExactly(3, 4);
        back.close();
        assertThat(back.tensors().get("x").isNull()).isTrue();
    }

    @Test
    void unpaddedHeadersOfOtherWritersAreFine() throws IOException {
        Path file = raw("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", new byte[] {0, 0, 64, 64});
        try (Safetensors back = Safetensors.read(file)) {
            assertThat(Tensors.floats(back.tensors().get("x"))).containsExactly(3);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}|tensor x: shape [2] of F32 does not fill its 4 bytes",
                "{\"x\":{\"dtype\":\"F3\",\"shape\":[1],\"data_offsets\":[0,4]}}|tensor x: unknown dtype F3; known: [F64, F32,",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}|tensor x: shape must hold whole numbers from 0 on",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}|tensor x: shape must hold whole numbers from 0 on",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":7,\"data_offsets\":[0,4]}}|tensor x: shape is missing",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}|tensor x: data_offsets must be [begin, end]",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}|tensor x: needs dtype, shape and data_offsets",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}|truncated: tensor x ends at byte 8 of the data, the file holds 4",
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}|3 bytes follow the last tensor",
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]}}|tensor x: its data leave a gap at byte 1, where byte 0 is due",
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}|tensor y: its data overlap another tensor's at byte 2, where byte 3 is due",
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}|Duplicate field 'x'",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}|does not fill its 0 bytes",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904,4],\"data_offsets\":[0,0]}}|does not fill its 0 bytes",
                "{\"x\":{\"dtype\":\"BOOL\",\"shape\":[4],\"data_offsets\":[0,4]}}|tensor x: a BOOL is neither 0 nor 1",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[274877906944],\"data_offsets\":[0,1099511627776]}}|truncated: tensor x ends at byte 1099511627776 of the data, the file holds 4",
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}|tensor y: its data overlap another tensor's at byte 0, where byte 4 is due",
                "{\"__metadata__\":{\"a\":1}}|__metadata__: 'a' must be a string",
                "{\"__metadata__\":[]}|__metadata__ must be a map of strings",
                "{\"a\\nb\":1}|damaged safetensors header: a name with control characters",
                "{\"x\":{\"dtype\":\"a\\nb\",\"shape\":[1],\"data_offsets\":[0,4]}}|tensor x: unknown dtype; known",
                "[1, 2]|not a JSON object",
                "{\"x\":|damaged safetensors header",
                "{} {}|damaged safetensors header",
            })
    void damageIsNamed(String header, String message) throws IOException {
        Path file = raw(header, new byte[] {9, 9, 9, 9});
        assertRefused(file, message);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 100_000_001, Long.MAX_VALUE, -1})
    void absurdHeaderLengthsAreRefused(long length) throws IOException {
        Path file = dir.resolve("absurd.safetensors");
        ByteBuffer bytes = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
        Files.write(file, bytes.putLong(length).array());
        assertRefused(file, "not a safetensors file: a header of " + Long.toUnsignedString(length) + " bytes");
    }

    @Test
    void everyPrefixOfAFileIsRefused() throws IOException {
        Path file = dir.resolve("whole.safetensors");
        Safetensors.write(file, Map.of("x", Tensors.of(new float[] {1, 2, 3}, 3)), Map.of("k", "v"));
        byte[] whole = Files.readAllBytes(file);
        Path cut = dir.resolve("cut.safetensors");
        for (int length = 0; length < whole.length; length++) {
            Files.write(cut, Arrays.copyOf(whole, length));
            assertRefused(cut, "cut.safetensors: ");
        }
    }

    @Test
    void namesAndShapesThatFillAScreenAreNotShown() throws IOException {
        String one = "\"dtype\":\"F32\",\"data_offsets\":[0,4],\"shape\":";
        assertRefused(raw("{\"" + "x".repeat(513) + "\":{" + one + "[1]}}", new byte[4]), "a name of 513 characters");
        String axes = "[" + "1,".repeat(64) + "1]";
        assertRefused(raw("{\"x\":{" + one + axes + "}}", new byte[4]), "tensor x: a shape of 65 axes");
        String deep = "[".repeat(100_000);
        assertRefused(raw("{\"x\":" + deep, new byte[4]), "damaged safetensors header: Document nesting depth");
    }

    @Test
    void missingFilesFoldersAndBadUtf8AreNamed() throws IOException {
        assertRefused(dir.resolve("none.safetensors"), "none.safetensors: cannot be read: no such file");
        assertRefused(dir, dir + ": ");
        assertRefused(raw(new byte[] {'{', '"', (byte) 0xFF, '"', '}'}, new byte[0]), "not UTF-8");
    }

    @Test
    void anUnknownTypeIsTheProgrammersMistakeAndLeavesNoFile() {
        Path file = dir.resolve("complex.safetensors");
        Tensor complex = Tensors.of(new float[] {1}, 1).to(ScalarType.ComplexFloat);
        assertThatThrownBy(() -> Safetensors.write(file, Map.of("z", complex), Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("tensor z: safetensors has no type for ComplexFloat");
        assertThat(dir).isEmptyDirectory();
    }

    private void assertRefused(Path file, String message) {
        assertThatThrownBy(() -> Safetensors.read(file)).isInstanceOfSatisfying(KofnException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).startsWith(file + ": ").contains(message).doesNotContain("\n");
        });
    }

    private Path raw(String header, byte[] data) throws IOException {
        return raw(header.getBytes(StandardCharsets.UTF_8), data);
    }

    private Path raw(byte[] header, byte[] data) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(header.length).put(header).put(data);
        return Files.write(dir.resolve("raw.safetensors"), bytes.array());
    }

    private static int elements(long[] shape) {
        return (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    }

    private static int size(ScalarType type) {
        return switch (type) {
            case Double, Long -> 8;
            case Float, Int -> 4;
            case Half, BFloat16, Short -> 2;
            default -> 1;
        };
    }
}
