package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Safetensors;
import org.kofn.torch.Tensors;

class CompactFileTest {
    @TempDir
    Path dir;

    private PointerScope scope;
    private Path file;
    private final List<PrunedTensor> pruned = new ArrayList<>();

    @BeforeEach
    void open() {
        scope = new PointerScope();
        file = dir.resolve("model.safetensors");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    @Test
    void aWholeModuleComesBackInItsOrder() {
        Map<String, Tensor> tensors = Models.example(pruned, ScalarType.BFloat16, 5);
        CompactFile.write(file, tensors, pruned, "model: x\n", Map.of("model", "x", "input", "3x1x1"));
        CompactModel back;
        try (PointerScope inner = new PointerScope()) {
            back = CompactFile.read(file);
        }
        assertThat(back.tensors().keySet()).containsExactlyElementsOf(tensors.keySet());
        tensors.forEach((name, tensor) ->
                assertThat(Tensors.bytes(back.tensors().get(name))).as(name).isEqualTo(Tensors.bytes(tensor)));
        assertThat(back.pruned())
                .extracting(PrunedTensor::parameter)
                .isEqualTo(pruned.stream().map(PrunedTensor::parameter).toList());
        assertThat(back.extra()).isEqualTo(Map.of("model", "x", "input", "3x1x1"));
        back.close();
    }

    @Test
    void onlyWhatIsKeptTakesRoomAndDataAreAligned() {
        Map<String, Tensor> tensors = Models.example(pruned, ScalarType.Float, 5);
        CompactFile.write(file, tensors, pruned, "", Map.of());
        try (Safetensors stored = Safetensors.read(file)) {
            assertThat(Tensors.shape(stored.tensors().get("conv1.weight.values")))
                    .containsExactly(4, 1, 9);
            assertThat(Tensors.shape(stored.tensors().get("fc1.weight.values"))).containsExactly(2, 3, 2);
            // 2 groups · 3 indices · 6 bits = 36 bits; a bitmap would take 80.
            assertThat(Tensors.shape(stored.tensors().get("fc1.weight.mask"))).containsExactly(5);
            // k = n is stored plain.
            assertThat(stored.tensors()).containsKey("fc3.weight").doesNotContainKey("fc3.weight.mask");
            long at = 0;
            for (Map.Entry<String, Tensor> entry : stored.tensors().entrySet()) {
                assertThat(at % entry.getValue().element_size())
                        .as(entry.getKey())
                        .isZero();
                at += entry.getValue().nbytes();
            }
        }
    }

    @Test
    void aDroppedMinusZeroComesBackAsPlusZero() {
        MaskLayout layout = MaskLayout.of("a", Granularity.WEIGHT, new long[] {1, 3}, 0, 1);
        PrunedTensor layer =
                new PrunedTensor("a", layout, 1, Tensors.ofBytes(new byte[] {0, 1, 0}, ScalarType.Bool, 1, 3));
        CompactFile.write(
                file, Map.of("a", Tensors.of(new float[] {-0f, -0f, 0f}, 1, 3)), List.of(layer), "", Map.of());
        try (CompactModel back = CompactFile.read(file)) {
            float[] dense = Tensors.floats(back.tensors().get("a"));
            assertThat(Float.floatToRawIntBits(dense[0])).isZero();
            assertThat(Float.floatToRawIntBits(dense[1])).isEqualTo(0x80000000);
            assertThat(Float.floatToRawIntBits(dense[2])).isZero();
        }
    }

    @Test
    void theWriterRefusesWhatIsNotExactlyKOfN() {
        MaskLayout layout = MaskLayout.of("a", Granularity.WEIGHT, new long[] {1, 3}, 0, 1);
        Tensor ones = Tensors.of(new float[] {1, 1, 1}, 1, 3);
        PrunedTensor two =
                new PrunedTensor("a", layout, 1, Tensors.ofBytes(new byte[] {0, 1, 1}, ScalarType.Bool, 1, 3));
        assertThatThrownBy(() -> CompactFile.write(file, Map.of("a", ones), List.of(two), "", Map.of()))
                .hasMessage("a: group 0 does not keep exactly 1");
        PrunedTensor one =
                new PrunedTensor("a", layout, 1, Tensors.ofBytes(new byte[] {0, 1, 0}, ScalarType.Bool, 1, 3));
        assertThatThrownBy(() -> CompactFile.write(file, Map.of("a", ones), List.of(one), "", Map.of()))
                .hasMessage("a: a dropped weight is not zero");
        assertThat(dir).isEmptyDirectory();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"version\":1 | \"version\":2 | format version 2; this kofn reads 1",
                "\"version\":1 | \"version\":0 | damaged metadata: version",
                "\"version\":1 | \"version\":1.5 | damaged metadata",
                "\"version\":1, | '' | damaged metadata",
                "\"granularity\":\"filter\" | \"granularity\":\"fitler\" | conv2.weight: unknown granularity",
                "\"k\":3 | \"k\":4 | fc1.weight.values: its shape [2, 3, 2] is not the layout's [2, 4, 2]",
                "\"k\":3 | \"k\":0 | fc1.weight: k = 0 is not within 1 and n = 40",
                "\"k\":3 | \"k\":41 | fc1.weight: k = 41 is not within 1 and n = 40",
                "\"k\":3 | \"k\":40 | fc1.weight: encoding 'indices' with k = 40 of n = 40",
                "\"n\":40 | \"n\":39 | fc1.weight: its layout contradicts itself",
                "\"axes\":[0,2,1,3] | \"axes\":[0,1,2,3] | conv1.weight: its layout contradicts itself",
                "\"shape\":[4,40] | \"shape\":[4,-40] | fc1.weight: shape [4, -40] with 2 groups of 40 is no weight",
                "\"shape\":[4,40] | \"shape\":[4,40,1] | fc1.weight: no layout: layer fc1.weight: only weights with 2 or 4",
                "\"shape\":[4,40] | \"shape\":[9223372036854775807,9223372036854775807] | is no weight",
                "\"groups\":2 | \"groups\":2147483647 | is no weight",
                "\"shape\":[4,40] | \"shape\":null | fc1.weight: shape, view, axes and values must be given",
                "\"shape\":[4,40], | '' | damaged metadata: Missing creator property 'shape'",
                "\"share\":2 | \"share\":3 | fc1.weight: no layout: layer fc1.weight: share: 3 does not divide",
                "\"encoding\":\"indices\",\"index_bits\":6 | \"encoding\":\"indices\",\"index_bits\":5 | contradicts itself",
                "\"encoding\":\"indices\" | \"encoding\":\"runs\" | unknown encoding",
                "\"fc3.weight\"] | \"fc3.weight\",\"fc4.weight\"] | tensor fc4.weight: in the metadata but not in the file",
                "\"fc3.weight\"] | \"fc3.weight\",\"fc1.weight\"] | tensor fc1.weight is listed twice",
                "\"conv1.bias\", | '' | tensor conv1.bias: not in the metadata's list",
                "\"parameter\":\"fc1.weight\" | \"parameter\":\"fc2.weight\" | pruned tensor fc2.weight",
                "\"k\":3 | \"k\":3,\"k\":3 | damaged metadata: Duplicate field 'k'",
                "\"k\":3 | \"k\":NaN | damaged metadata: Non-standard token 'NaN'",
                "\"k\":3 | \"k\":-3 | fc1.weight: k = -3 is not within 1 and n = 40",
                "\"shape\":[4,40] | \"shape\":[4,5,8,1,1] | fc1.weight: a shape of 5 axes",
                "\"values\":\"fc1.weight.values\" | \"values\":\"a\\nb\" | fc1.weight: its layout contradicts itself",
                "\"mask\":\"fc1.weight.mask\" | \"mask\":\"fc2.weight.mask\" | fc1.weight: its layout contradicts itself",
            })
    void metadataThatDoesNotFitIsNamed(String from, String to, String message) {
        edit(
                metadata -> {
                    String json = metadata.get("kofn");
                    assertThat(json).contains(from);
                    int at = json.indexOf(from);
                    metadata.put("kofn", json.substring(0, at) + to + json.substring(at + from.length()));
                },
                tensors -> {},
                message);
    }

    @Test
    void masksThatDoNotFitAreNamed() {
        edit(m -> {}, t -> t.put("fc1.weight.mask", Tensors.of(new byte[4], 4)), "fc1.weight.mask: its shape [4]");
        edit(m -> {}, t -> t.put("fc1.weight.mask", Tensors.of(new byte[5], 5)), "group 0: index 0 follows 0");
        byte[] high = {-1, -1, -1, -1, 15};
        edit(m -> {}, t -> t.put("fc1.weight.mask", Tensors.of(high, 5)), "group 0: index 63 is not below n = 40");
        edit(m -> {}, t -> t.put("fc2.weight.mask", Tensors.of(new byte[3], 3)), "keeps 0, not k = 2");
        Tensor wide = Tensors.of(new float[5], 5);
        edit(m -> {}, t -> t.put("fc1.weight.mask", wide), "a mask must be U8");
        edit(m -> {}, t -> t.put("more", Tensors.of(new byte[1], 1)), "tensor more: not in the metadata's list");
        edit(m -> {}, t -> t.remove("fc1.weight.mask"), "tensor fc1.weight.mask: in the metadata but not in the file");
        edit(m -> m.remove("kofn"), t -> {}, "not a compact kofn model: no 'kofn' in its metadata");
        edit(m -> m.remove("recipe"), t -> {}, "not a compact kofn model: no recipe in its metadata");
    }

    /** A file of a kilobyte whose one kept weight of 2³⁰ would unfold to 4 GiB, and its mask to one more. */
    @Test
    void aFileThatUnfoldsToFarMoreThanItsSizeIsRefusedBeforeItDoes() {
        String kofn =
                """
                {"version":1,"tensors":["w"],"pruned":[{"parameter":"w","granularity":"weight","shape":[1,1073741824],
                "share":1,"view":[1,1,1073741824],"axes":[0,2,1],"group_axes":1,"groups":1,"n":1073741824,"k":1,
                "elements":1,"encoding":"indices","index_bits":30,"values":"w.values","mask":"w.mask"}]}""";
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("w.values", Tensors.of(new float[] {1}, 1, 1, 1));
        tensors.put("w.mask", Tensors.of(new byte[4], 4));
        Safetensors.write(file, tensors, Map.of("kofn", kofn, "recipe", "model: x\n"));
        long before = Pointer.physicalBytes();
        assertThatThrownBy(() -> CompactFile.read(file))
                .isInstanceOf(KofnException.class)
                .hasMessage(
                        file + ": tensor w: unfolds to more than a thousand times the file: no model that kofn wrote");
        assertThat(Pointer.physicalBytes() - before).isLessThan(64 << 20);
    }

    @Test
    void millionsOfWeightsPackInSeconds() throws IOException {
        MaskLayout layout = MaskLayout.of("big", Granularity.WEIGHT, new long[] {512, 4608}, 0, 1);
        PrunedTensor layer = Models.mask("big", layout, 100, new Random(1));
        Tensor weight = Models.weight(layer, ScalarType.Float, new Random(2));
        long start = System.nanoTime();
        CompactFile.write(file, Map.of("big", weight), List.of(layer), "", Map.of());
        try (CompactModel back = CompactFile.read(file)) {
            assertThat(back.tensors().get("big").view(ScalarType.Int).equal(weight.view(ScalarType.Int)))
                    .isTrue();
        }
        assertThat((System.nanoTime() - start) / 1e9).isLessThan(5);
    }

    private void edit(Consumer<Map<String, String>> metadata, Consumer<Map<String, Tensor>> tensors, String message) {
        pruned.clear();
        CompactFile.write(file, Models.example(pruned, ScalarType.Float, 5), pruned, "model: x\n", Map.of());
        try (Safetensors stored = Safetensors.read(file)) {
            Map<String, String> strings = new HashMap<>(stored.metadata());
            Map<String, Tensor> map = new LinkedHashMap<>(stored.tensors());
            metadata.accept(strings);
            tensors.accept(map);
            Safetensors.write(file, map, strings);
        }
        assertThatThrownBy(() -> CompactFile.read(file)).isInstanceOfSatisfying(KofnException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).startsWith(file + ": ").contains(message).hasLineCount(1);
        });
    }
}
