package org.kofn.recipe;

import java.util.ArrayList;
import java.util.List;
import org.kofn.base.KofnException;

/**
 * {@code --set KEY=VALUE} on a recipe's tree, before it is bound, so that an override is checked like anything else.
 * Sections on the way are made where they are missing, short forms are written out, and an index one past the end of a
 * list appends to it. A value replaces what stood there as a whole; {@code prune=null} takes a section away.
 */
final class Overrides {
    private Overrides() {}

    /**
     * Applies one override to the tree.
     *
     * @param root the recipe's tree, which is changed
     * @param type the record that the tree is for
     * @param override {@code prune.layers[0].keep=4/32}; the value is YAML
     * @throws KofnException (usage) naming the override when it has no '=' or its path is not one
     */
    static void apply(Node.Mapping root, Class<?> type, String override) {
        int equals = override.indexOf('=');
        if (equals < 1) {
            throw KofnException.usage("--set %s: write KEY=VALUE, as in --set batch=64", override);
        }
        String where = "--set " + override;
        List<Object> steps = KeyPath.parse(override.substring(0, equals).trim());
        if (steps.isEmpty()) {
            throw KofnException.usage(
                    "%s: '%s' is not a path of keys such as prune.layers[0].keep",
                    where, override.substring(0, equals).trim());
        }
        Node value = YamlTree.value(override.substring(equals + 1), where);
        new Walk(where, value).set(root, new Slot(type, null), "", steps);
    }

    /** What may stand at a place of the tree: a section's or scalar's class, or a list of {@code element}. */
    private record Slot(Class<?> type, Class<?> element) {}

    private record Walk(String where, Node value) {

        void set(Node parent, Slot slot, String path, List<Object> steps) {
            Object step = steps.get(0);
            String childPath = KeyPath.append(path, step);
            Slot childSlot = step instanceof String key ? key(slot, path, key) : item(slot, path, parent, (int) step);
            if (steps.size() == 1) {
                put(parent, step, path, value);
                return;
            }
            Node child = KeyPath.child(parent, step);
            if (child == null || child instanceof Node.Null) {
                child = childSlot.element() != null
                        ? new Node.Sequence(where, new ArrayList<>())
                        : new Node.Mapping(where);
            } else if (childSlot.type().isRecord()) {
                child = Schema.of(childSlot.type()).expand(child);
            }
            put(parent, step, path, child);
            set(child, childSlot, childPath, steps.subList(1, steps.size()));
        }

        private Slot key(Slot slot, String path, String name) {
            if (slot.element() != null) {
                throw KofnException.usage("%s: %s is a list; name an item of it: %s[0].%s", where, path, path, name);
            }
            if (!slot.type().isRecord()) {
                throw KofnException.usage("%s: %s is a single value and has no keys", where, path);
            }
            Schema schema = Schema.of(slot.type());
            Schema.Key key = schema.key(name);
            if (key == null) {
                throw schema.unknown(where, name, path);
            }
            return new Slot(key.type(), key.element());
        }

        private Slot item(Slot slot, String path, Node parent, int index) {
            if (slot.element() == null) {
                throw KofnException.usage("%s: %s is not a list", where, path);
            }
            int size =
                    parent instanceof Node.Sequence sequence ? sequence.items().size() : 0;
            if (index > size) {
                throw KofnException.usage(
                        "%s: %s has %d item%s, so the next index is [%d]",
                        where, path, size, size == 1 ? "" : "s", size);
            }
            return new Slot(slot.element(), null);
        }

        private void put(Node parent, Object step, String path, Node child) {
            if (step instanceof String key && parent instanceof Node.Mapping mapping) {
                mapping.values().put(key, child);
            } else if (step instanceof Integer index && parent instanceof Node.Sequence sequence) {
                if (index < sequence.items().size()) {
                    sequence.items().set(index, child);
                } else {
                    sequence.items().add(child);
                }
            } else {
                throw KofnException.usage(
                        "%s: %s is %s in the recipe (%s), so nothing can be set inside it",
                        where, path, parent.kind(), parent.where());
            }
        }
    }
}
