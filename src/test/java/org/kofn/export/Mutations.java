package org.kofn.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Random;

/** Ways to damage a compact file: blindly, bit by bit, and with knowledge of its structure. */
final class Mutations {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String KOFN = "kofn";
    /** About what the masks take at the end of the file. */
    private static final int MASKS = 2000;

    /** Stands in a tree for text that no tree can hold. */
    private static final String RAW = "@raw@";

    /** Values that a reader must not trip over, as they stand in JSON. */
    private static final List<String> HOSTILE = List.of(
            "-1",
            "0",
            "1",
            "2",
            "3",
            "7",
            "8",
            "9",
            "64",
            "512",
            "1.5",
            "1.0",
            "-0",
            "NaN",
            "Infinity",
            "1e400",
            "1e3",
            "2147483647",
            "2147483648",
            "4294967297",
            "9223372036854775807",
            "9223372036854775808",
            "1" + "0".repeat(400),
            "null",
            "true",
            "\"\"",
            "\"4\"",
            "\"a\\nb\"",
            "\"\\u001b[31m\"",
            "\"\\ud800\"",
            "\"" + "x".repeat(5000) + "\"",
            "[]",
            "{}",
            "[1]",
            "[[1,2],[3]]",
            "[".repeat(3000) + "]".repeat(3000),
            "{\"a\":".repeat(1200) + "1" + "}".repeat(1200),
            "[0,0]",
            "[0,9223372036854775807]",
            "[4,2]",
            "[-8,8]",
            "[1099511627776]",
            "[1099511627776,1099511627776]",
            "\"F32\"",
            "\"F64\"",
            "\"U8\"",
            "\"BOOL\"",
            "\"I64\"",
            "\"indices\"",
            "\"bitmap\"",
            "\"none\"",
            "\"weight\"",
            "\"kernel\"",
            "\"filter\"",
            "\"n:m\"",
            "\"fc1.weight\"",
            "\"fc1.weight.mask\"",
            "\"conv2.weight.values\"",
            "\"lenet-5\"",
            "\"1x8x8\"",
            "\"3x8x8\"",
            "\"1x9x9\"",
            "\"1x999999x999999\"",
            "\"1x4096x4096\"",
            "\"resnet-18\"");

    private final byte[] original;
    private final Random random;

    /** Damages of a file's bytes, the same for the same random numbers. */
    Mutations(byte[] original, Random random) {
        this.original = original;
        this.random = random;
    }

    /** One to three of them, one after the other; mostly one, so that what it hits is reached. */
    byte[] next() {
        byte[] bytes = original.clone();
        for (int left = Math.max(0, random.nextInt(6) - 3); left >= 0; left--) {
            bytes = once(bytes);
        }
        return bytes;
    }

    private byte[] once(byte[] bytes) {
        return switch (random.nextInt(12)) {
            case 0 -> flip(bytes, 0, bytes.length);
            case 1 -> flip(bytes, 0, headerEnd(bytes));
            case 2 -> flip(bytes, headerEnd(bytes), bytes.length);
            case 3 -> swap(bytes, Math.max(headerEnd(bytes), bytes.length - MASKS));
            case 4 -> overwrite(bytes);
            case 5 -> Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
            case 6 -> Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(9));
            case 7 -> length(bytes);
            default -> edit(bytes);
        };
    }

    private static int headerEnd(byte[] bytes) {
        if (bytes.length < 8) {
            return bytes.length;
        }
        long length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return (int) Math.max(8, Math.min(bytes.length, length < 0 ? 8 : 8 + Math.min(length, 1 << 30)));
    }

    private byte[] flip(byte[] bytes, int from, int to) {
        for (int left = random.nextInt(4); left >= 0 && to > from; left--) {
            bytes[from + random.nextInt(to - from)] ^= (byte) (1 << random.nextInt(8));
        }
        return bytes;
    }

    /** Exchanges neighbouring bits near the end, where the masks are: often another mask, and a valid one. */
    private byte[] swap(byte[] bytes, int from) {
        for (int left = random.nextInt(4); left >= 0 && bytes.length > from; left--) {
            int at = from + random.nextInt(bytes.length - from);
            int bit = random.nextInt(7);
            boolean differ = ((bytes[at] >> bit) & 1) != ((bytes[at] >> (bit + 1)) & 1);
            bytes[at] ^= (byte) (differ ? 3 << bit : 0);
        }
        return bytes;
    }

    /** Digits for digits in the header, so that it stays JSON; or any bytes, UTF-8 or not. */
    private byte[] overwrite(byte[] bytes) {
        int end = headerEnd(bytes);
        boolean digits = random.nextInt(3) > 0;
        for (int tries = 0; tries < 200 && end > 8; tries++) {
            int at = 8 + random.nextInt(end - 8);
            if (!digits || Character.isDigit(bytes[at])) {
                bytes[at] = (byte) (digits ? '0' + random.nextInt(10) : random.nextInt(256));
                if (random.nextInt(3) > 0) {
                    break;
                }
            }
        }
        return bytes;
    }

    private byte[] length(byte[] bytes) {
        if (bytes.length < 8) {
            return bytes;
        }
        long now = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        long[] lengths = {0, 1, now - 1, now + 1, now + 8, bytes.length, 100_000_000, 1L << 40, Long.MIN_VALUE, -1};
        byte[] copy = bytes.clone();
        ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN).putLong(lengths[random.nextInt(lengths.length)]);
        return copy;
    }

    /** An edit of the header's tree, or of the tree inside its {@code kofn}; of bytes that are none, nothing. */
    private byte[] edit(byte[] bytes) {
        int end = headerEnd(bytes);
        if (end <= 8) {
            return bytes;
        }
        try {
            String text = new String(bytes, 8, end - 8, StandardCharsets.UTF_8);
            if (!(JSON.readTree(text) instanceof ObjectNode root)) {
                return bytes;
            }
            boolean inner = random.nextBoolean()
                    && root.path("__metadata__").path(KOFN).isTextual()
                    && JSON.readTree(root.path("__metadata__").get(KOFN).textValue()) instanceof ObjectNode;
            String edited;
            if (inner) {
                JsonNode kofn =
                        JSON.readTree(root.path("__metadata__").get(KOFN).textValue());
                ((ObjectNode) root.get("__metadata__")).put(KOFN, changed(kofn));
                edited = JSON.writeValueAsString(root);
            } else {
                edited = changed(root);
            }
            byte[] header = edited.getBytes(StandardCharsets.UTF_8);
            ByteBuffer out =
                    ByteBuffer.allocate(8 + header.length + bytes.length - end).order(ByteOrder.LITTLE_ENDIAN);
            return out.putLong(header.length)
                    .put(header)
                    .put(bytes, end, bytes.length - end)
                    .array();
        } catch (JsonProcessingException e) {
            return bytes;
        }
    }

    /** The text of a tree after one change somewhere in it. */
    private String changed(JsonNode root) throws JsonProcessingException {
        List<JsonNode> parents = new ArrayList<>();
        collect(root, parents);
        JsonNode parent = parents.get(random.nextInt(parents.size()));
        String hostile = HOSTILE.get(random.nextInt(HOSTILE.size()));
        if (parent instanceof ArrayNode array && array.size() > 0) {
            int at = random.nextInt(array.size());
            switch (random.nextInt(5)) {
                case 0 -> array.remove(at);
                case 1 -> array.add(array.get(at));
                case 2 -> array.set(at, near(array.get(at)));
                case 3 -> array.set(at, array.get(random.nextInt(array.size())));
                default -> array.set(at, new TextNode(RAW));
            }
        } else if (parent instanceof ObjectNode object && object.size() > 0) {
            String key = key(object, random.nextInt(object.size()));
            switch (random.nextInt(6)) {
                case 0 -> object.remove(key);
                case 1 -> object.set(key + "x", object.get(key));
                case 2 -> object.set(key, near(object.get(key)));
                case 3 -> object.set(key, object.get(key(object, random.nextInt(object.size()))));
                case 4 -> {
                    // The same name twice.
                    String twice = JSON.writeValueAsString(key) + ":" + JSON.writeValueAsString(object.get(key));
                    object.set(key, new TextNode(RAW));
                    String text = JSON.writeValueAsString(root);
                    return text.replace(JSON.writeValueAsString(key) + ":\"" + RAW + "\"", twice + "," + twice);
                }
                default -> object.set(key, new TextNode(RAW));
            }
        }
        return JSON.writeValueAsString(root).replace("\"" + RAW + "\"", hostile);
    }

    /** A number next to it, or twice as large; anything else as it is. */
    private JsonNode near(JsonNode node) {
        if (!node.isIntegralNumber()) {
            return node;
        }
        long[] near = {node.longValue() - 1, node.longValue() + 1, node.longValue() * 2, node.longValue() / 2};
        return JSON.getNodeFactory().numberNode(near[random.nextInt(near.length)]);
    }

    private static String key(ObjectNode object, int index) {
        Iterator<String> names = object.fieldNames();
        for (int i = 0; i < index; i++) {
            names.next();
        }
        return names.next();
    }

    private static void collect(JsonNode node, List<JsonNode> into) {
        if (node.isContainerNode()) {
            into.add(node);
            for (JsonNode child : node) {
                collect(child, into);
            }
        }
    }
}
