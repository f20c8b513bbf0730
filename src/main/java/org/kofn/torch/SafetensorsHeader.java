package org.kofn.torch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.JsonError;
import org.kofn.base.KofnException;

/**
 * The JSON header of a safetensors file: for every tensor its type, shape and byte range, and a string-to-string map
 * {@code __metadata__}. Every number is checked before anything is allocated for it, so that a damaged or hostile file
 * ends in one line of text and in nothing else.
 *
 * @param entries in header order
 * @param metadata in header order; empty when there is none
 */
record SafetensorsHeader(List<Entry> entries, Map<String, String> metadata) {
    /** The limit of the reference implementation. */
    static final long MAX_HEADER_BYTES = 100_000_000;

    private static final String METADATA = "__metadata__";
    private static final int MAX_AXES = 64;
    private static final int LONGEST_NAME = 512;
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /**
     * One tensor.
     *
     * @param begin first byte, counted from the end of the header
     * @param end first byte after it
     */
    record Entry(String name, DType type, long[] shape, long begin, long end) {}

    /** The types that both safetensors and LibTorch know, with their size in bytes. */
    enum DType {
        F64(ScalarType.Double, 8),
        F32(ScalarType.Float, 4),
        F16(ScalarType.Half, 2),
        BF16(ScalarType.BFloat16, 2),
        I64(ScalarType.Long, 8),
        I32(ScalarType.Int, 4),
        I16(ScalarType.Short, 2),
        I8(ScalarType.Char, 1),
        U8(ScalarType.Byte, 1),
        BOOL(ScalarType.Bool, 1);

        final ScalarType torch;
        final int bytes;

        DType(ScalarType torch, int bytes) {
            this.torch = torch;
            this.bytes = bytes;
        }

        static DType of(String tensor, ScalarType torch) {
            return Arrays.stream(values())
                    .filter(type -> type.torch == torch)
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException(
                            "tensor " + tensor + ": safetensors has no type for " + torch));
        }
    }

    /** The header as bytes, padded with spaces so that data which follow its 8-byte length start at a multiple of 8. */
    byte[] format() {
        ObjectNode root = JSON.createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode strings = root.putObject(METADATA);
            metadata.forEach(strings::put);
        }
        for (Entry entry : entries) {
            ObjectNode node = root.putObject(entry.name);
            node.put("dtype", entry.type.name());
            Arrays.stream(entry.shape).forEach(node.putArray("shape")::add);
            node.putArray("data_offsets").add(entry.begin).add(entry.end);
        }
        try {
            byte[] json = JSON.writeValueAsBytes(root);
            byte[] padded = Arrays.copyOf(json, (json.length + 7) / 8 * 8);
            Arrays.fill(padded, json.length, padded.length, (byte) ' ');
            return padded;
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Reads and checks a header.
     *
     * @param dataBytes how many bytes of data the file has after the header
     * @throws KofnException (file) naming the file, and the tensor where one is to blame
     */
    static SafetensorsHeader parse(Path file, byte[] json, long dataBytes) {
        JsonNode root;
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(json))
                    .toString();
            root = JSON.readTree(text);
        } catch (CharacterCodingException e) {
            throw KofnException.file(e, "%s: damaged safetensors header: not UTF-8", file);
        } catch (JsonProcessingException e) {
            throw KofnException.file(e, "%s: damaged safetensors header: %s", file, JsonError.reason(e));
        }
        if (!root.isObject()) {
            throw KofnException.file("%s: damaged safetensors header: not a JSON object", file);
        }
        List<Entry> entries = new ArrayList<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> field : root.properties()) {
            requirePrintable(file, field.getKey());
            if (field.getKey().equals(METADATA)) {
                readMetadata(file, field.getValue(), metadata);
            } else {
                entries.add(entry(file, field.getKey(), field.getValue()));
            }
        }
        checkRanges(file, entries, dataBytes);
        return new SafetensorsHeader(List.copyOf(entries), metadata);
    }

    private static void readMetadata(Path file, JsonNode node, Map<String, String> into) {
        if (!node.isObject()) {
            throw KofnException.file("%s: %s must be a map of strings", file, METADATA);
        }
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            requirePrintable(file, field.getKey());
            if (!field.getValue().isTextual()) {
                throw KofnException.file("%s: %s: '%s' must be a string", file, METADATA, field.getKey());
            }
            into.put(field.getKey(), field.getValue().textValue());
        }
    }

    /** Names end up in one-line messages, so none may break a line, or fill a screen. */
    private static void requirePrintable(Path file, String name) {
        if (name.length() > LONGEST_NAME) {
            throw KofnException.file("%s: damaged safetensors header: a name of %d characters", file, name.length());
        }
        if (name.chars().anyMatch(Character::isISOControl)) {
            throw KofnException.file("%s: damaged safetensors header: a name with control characters", file);
        }
    }

    private static Entry entry(Path file, String name, JsonNode node) {
        if (!node.isObject() || node.size() != 3) {
            throw KofnException.file("%s: tensor %s: needs dtype, shape and data_offsets, and no more", file, name);
        }
        String dtype = node.path("dtype").asText("");
        DType type = Arrays.stream(DType.values())
                .filter(known -> known.name().equals(dtype))
                .findFirst()
                .orElseThrow(() -> KofnException.file(
                        "%s: tensor %s: unknown dtype%s; known: %s",
                        file, name, dtype.matches("\\w{1,20}") ? " " + dtype : "", Arrays.toString(DType.values())));
        long[] shape = longs(file, name, node, "shape");
        long[] range = longs(file, name, node, "data_offsets");
        if (range.length != 2 || range[0] > range[1]) {
            throw KofnException.file("%s: tensor %s: data_offsets must be [begin, end]", file, name);
        }
        if (shape.length > MAX_AXES) {
            throw KofnException.file("%s: tensor %s: a shape of %d axes", file, name, shape.length);
        }
        if (bytes(shape, type) != range[1] - range[0]) {
            throw KofnException.file(
                    "%s: tensor %s: shape %s of %s does not fill its %d bytes",
                    file, name, Arrays.toString(shape), type, range[1] - range[0]);
        }
        return new Entry(name, type, shape, range[0], range[1]);
    }

    private static long[] longs(Path file, String name, JsonNode node, String key) {
        JsonNode array = node.path(key);
        long[] values = new long[array.size()];
        for (int i = 0; i < values.length; i++) {
            JsonNode value = array.get(i);
            if (value == null || !value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
                throw KofnException.file("%s: tensor %s: %s must hold whole numbers from 0 on", file, name, key);
            }
            values[i] = value.longValue();
        }
        if (!array.isArray()) {
            throw KofnException.file("%s: tensor %s: %s is missing", file, name, key);
        }
        return values;
    }

    /** Size in bytes, or −1 when it, or the product of the axes that are not empty, is beyond a long. */
    private static long bytes(long[] shape, DType type) {
        try {
            long strides = type.bytes;
            boolean empty = false;
            for (long size : shape) {
                empty |= size == 0;
                strides = Math.multiplyExact(strides, Math.max(size, 1));
            }
            return empty ? 0 : strides;
        } catch (ArithmeticException e) {
            return -1;
        }
    }

    /** Ranges, in the order of their begin, must tile the data without gap, overlap or rest. */
    private static void checkRanges(Path file, List<Entry> entries, long dataBytes) {
        List<Entry> sorted = new ArrayList<>(entries);
        sorted.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long at = 0;
        for (Entry entry : sorted) {
            if (entry.begin != at) {
                throw KofnException.file(
                        "%s: tensor %s: its data %s at byte %d, where byte %d is due",
                        file,
                        entry.name,
                        entry.begin < at ? "overlap another tensor's" : "leave a gap",
                        entry.begin,
                        at);
            }
            at = entry.end;
            if (at > dataBytes) {
                throw KofnException.file(
                        "%s: truncated: tensor %s ends at byte %d of the data, the file holds %d",
                        file, entry.name, at, dataBytes);
            }
        }
        if (at != dataBytes) {
            throw KofnException.file("%s: %d bytes follow the last tensor", file, dataBytes - at);
        }
    }
}
