package org.kofn.recipe;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Paths to keys as people write them, {@code prune.layers[0].keep}, taken apart into names and indices. */
final class KeyPath {
    private static final Pattern WHOLE = Pattern.compile("[\\w-]+(\\.[\\w-]+|\\[\\d{1,6}])*");
    private static final Pattern STEP = Pattern.compile("\\[(\\d+)]|[\\w-]+");

    private KeyPath() {}

    /** The steps of a path, each a {@code String} (a key) or an {@code Integer} (an index); empty if it is none. */
    static List<Object> parse(String path) {
        List<Object> steps = new ArrayList<>();
        if (WHOLE.matcher(path).matches()) {
            for (Matcher step = STEP.matcher(path); step.find(); ) {
                steps.add(step.group(1) == null ? step.group() : (Object) Integer.valueOf(step.group(1)));
            }
        }
        return steps;
    }

    /** A path one step longer. */
    static String append(String path, Object step) {
        if (step instanceof Integer) {
            return path + "[" + step + "]";
        }
        return path.isEmpty() ? step.toString() : path + "." + step;
    }

    /** Where the key at {@code path} was written: the place of the deepest node on the way to it that exists. */
    static String place(Node root, String path) {
        Node node = root;
        for (Object step : parse(path)) {
            Node next = child(node, step);
            if (next == null) {
                break;
            }
            node = next;
        }
        return node.where();
    }

    /** The node one step further, null if there is none. */
    static Node child(Node node, Object step) {
        if (step instanceof String key && node instanceof Node.Mapping mapping) {
            return mapping.values().get(key);
        }
        if (step instanceof Integer index && node instanceof Node.Sequence sequence) {
            return index < sequence.items().size() ? sequence.items().get(index) : null;
        }
        return null;
    }
}
