package org.kofn.recipe;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A recipe before it has types: YAML as a tree in which every node knows where it was written. Scalars stay text, since
 * only the key they belong to says whether {@code 2:4} or {@code 1e-3} is meant as a number.
 */
sealed interface Node {
    /**
     * {@code FILE:LINE} of the key (or list item) that this node is the value of, or the {@code --set} that made it.
     */
    String where();

    /** The kind in words, for errors. */
    String kind();

    /** A scalar other than null. */
    record Scalar(String where, String text) implements Node {
        @Override
        public String kind() {
            return "'" + text + "'";
        }
    }

    /** A key without a value, {@code ~} or {@code null}. */
    record Null(String where) implements Node {
        @Override
        public String kind() {
            return "nothing";
        }
    }

    /**
     * Keys and their values, in order; {@link Overrides} edits {@code values}.
     *
     * @param brief whether this was written as a single value ({@link ShortForm}), so that errors do not name its keys
     */
    record Mapping(String where, Map<String, Node> values, boolean brief) implements Node {
        Mapping(String where) {
            this(where, new LinkedHashMap<>(), false);
        }

        @Override
        public String kind() {
            return "a section of keys";
        }
    }

    /** List items, in order; {@link Overrides} edits {@code items}. */
    record Sequence(String where, List<Node> items) implements Node {
        @Override
        public String kind() {
            return "a list";
        }
    }
}
