package org.kofn.recipe;

import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.kofn.base.KofnException;

/**
 * A tree of {@link Node}s to a record.
 *
 * <p>Every section is a stack of layers: what the user wrote on top, below it the default of the section's own key
 * ({@code noise: {from: 0.1, to: 0.001, shape: geometric}}), below that the defaults of its keys. The topmost layer
 * that has a key gives its value, so {@code noise: {from: 0.3}} changes the start and leaves the rest. Errors carry
 * {@code FILE:LINE} and the path of the key.
 */
final class Binder {
    private static final Pattern WHOLE = Pattern.compile("[-+]?\\d{1,18}");
    private static final Pattern NUMBER = Pattern.compile("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d{1,3})?");

    private Binder() {}

    /** Binds a whole tree; {@code T} is a record class. */
    static <T extends Record> T bind(Class<T> type, Node.Mapping root) {
        return type.cast(section(type, "", List.of(root)));
    }

    private static Object section(Class<?> type, String path, List<Node.Mapping> layers) {
        Schema schema = Schema.of(type);
        Node.Mapping written = layers.get(0);
        written.values().forEach((name, value) -> {
            if (schema.key(name) == null) {
                throw schema.unknown(value.where(), name, path);
            }
        });
        List<Object> values = new ArrayList<>();
        for (Schema.Key key : schema.keys()) {
            List<Node> candidates = layers.stream()
                    .map(layer -> layer.values().get(key.name()))
                    .filter(Objects::nonNull)
                    .collect(Collectors.toCollection(ArrayList::new));
            if (key.fallback() != null) {
                candidates.add(key.fallback());
            }
            if (candidates.isEmpty()) {
                throw KofnException.usage("%s: key '%s' is missing", written.where(), KeyPath.append(path, key.name()));
            }
            values.add(value(key, path(path, written, key.name()), candidates));
        }
        return construct(type, path, written, values);
    }

    private static Object value(Schema.Key key, String path, List<Node> candidates) {
        Node first = candidates.get(0);
        if (first instanceof Node.Null) {
            if (key.nullable()) {
                return null;
            }
            throw KofnException.usage("%s: %s: has no value; write one or leave the key out", first.where(), path);
        }
        if (key.element() != null) {
            return list(key, path, first);
        }
        if (key.type().isRecord()) {
            Schema schema = Schema.of(key.type());
            List<Node.Mapping> layers = candidates.stream()
                    .takeWhile(node -> !(node instanceof Node.Null))
                    .map(schema::expand)
                    .map(node -> mapping(node, path))
                    .toList();
            return section(key.type(), path, layers);
        }
        return scalar(key.type(), key.fraction(), path, first);
    }

    private static List<Object> list(Schema.Key key, String path, Node node) {
        if (!(node instanceof Node.Sequence sequence)) {
            throw wrong(node, path, "a list, that is lines that begin with '-'");
        }
        List<Object> values = new ArrayList<>();
        for (Node item : sequence.items()) {
            String place = KeyPath.append(path, values.size());
            values.add(
                    key.element().isRecord()
                            ? section(key.element(), place, List.of(mapping(item, place)))
                            : scalar(key.element(), key.fraction(), place, item));
        }
        return List.copyOf(values);
    }

    private static Node.Mapping mapping(Node node, String path) {
        if (node instanceof Node.Mapping mapping) {
            return mapping;
        }
        throw wrong(node, path, "a section of keys");
    }

    private static Object scalar(Class<?> type, boolean fraction, String path, Node node) {
        if (!(node instanceof Node.Scalar scalar)) {
            throw wrong(node, path, expected(type, fraction));
        }
        String text = scalar.text().trim();
        Object value = null;
        if (type == String.class) {
            value = scalar.text();
        } else if (type == boolean.class) {
            value = text.equals("true") ? Boolean.TRUE : text.equals("false") ? Boolean.FALSE : null;
        } else if (type.isEnum()) {
            value = Arrays.stream(type.getEnumConstants())
                    .filter(constant -> label(constant).equals(text))
                    .findFirst()
                    .orElse(null);
        } else if (type == int.class || type == long.class) {
            value = whole(type, text);
        } else if (NUMBER.matcher(text).matches()) {
            value = Double.valueOf(text);
        } else if (fraction
                && text.endsWith("%")
                && NUMBER.matcher(text.substring(0, text.length() - 1)).matches()) {
            value = Numbers.times(Double.parseDouble(text.substring(0, text.length() - 1)), 0.01);
        }
        if (value == null) {
            throw wrong(node, path, expected(type, fraction));
        }
        return value;
    }

    private static Object whole(Class<?> type, String text) {
        if (!WHOLE.matcher(text).matches()) {
            return null;
        }
        long value = Long.parseLong(text);
        if (type == long.class) {
            return value;
        }
        return value == (int) value ? (Object) (int) value : null;
    }

    /** What a key of this type wants, in words; {@code docs/recipes.md} uses the same. */
    static String expected(Class<?> type, boolean fraction) {
        if (type == String.class) {
            return "text";
        }
        if (type == boolean.class) {
            return "true or false";
        }
        if (type == int.class || type == long.class) {
            return "a whole number";
        }
        if (type.isEnum()) {
            return Arrays.stream(type.getEnumConstants()).map(Binder::label).collect(Collectors.joining(" or "));
        }
        return fraction ? "a fraction such as 0.6 or 60%" : "a number";
    }

    /** An enum constant as recipes write it. */
    static String label(Object constant) {
        return ((Enum<?>) constant).name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static KofnException wrong(Node node, String path, String expected) {
        return KofnException.usage("%s: %s: expected %s, found %s", node.where(), path, expected, node.kind());
    }

    /** The path that an error shows: of a short form's keys the user knows nothing. */
    private static String path(String path, Node.Mapping written, String key) {
        return written.brief() && written.values().containsKey(key) ? path : KeyPath.append(path, key);
    }

    /** Calls the constructor; its complaint about a key gets the key's file, line and path. */
    private static Object construct(Class<?> type, String path, Node.Mapping written, List<Object> values) {
        try {
            return type.getDeclaredConstructors()[0].newInstance(values.toArray());
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof KofnException complaint) {
                String message = complaint.getMessage();
                String key = message.substring(0, Math.max(0, message.indexOf(": ")));
                String shown = path(path, written, key) + message.substring(key.length());
                throw KofnException.usage("%s: %s", KeyPath.place(written, key), shown);
            }
            throw new IllegalStateException(type + " cannot be built", e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(type + " cannot be built", e);
        }
    }
}
