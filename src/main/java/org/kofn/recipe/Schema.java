package org.kofn.recipe;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;

/**
 * The keys of a section, read off its record: {@code weightDecay} is the key {@code weight-decay}, its type is the
 * component's, its default the component's {@link Default}.
 */
final class Schema {
    private static final Map<Class<?>, Schema> KNOWN = new ConcurrentHashMap<>();

    private final Map<String, Key> keys = new LinkedHashMap<>();
    private final List<String> shortForm;

    /**
     * One key.
     *
     * @param name in kebab-case
     * @param type the component's class
     * @param element the class of a list's items, null if this is no list
     * @param fraction whether a percentage is allowed
     * @param fallback the default as a tree; null if the key is required
     * @param component the record component itself
     */
    record Key(
            String name, Class<?> type, Class<?> element, boolean fraction, Node fallback, RecordComponent component) {
        /** Whether null is a value of this key. */
        boolean nullable() {
            return fallback instanceof Node.Null;
        }
    }

    private Schema(Class<?> type) {
        for (RecordComponent component : type.getRecordComponents()) {
            Default fallback = component.getAnnotation(Default.class);
            Class<?> element = component.getGenericType() instanceof ParameterizedType list
                    ? (Class<?>) list.getActualTypeArguments()[0]
                    : null;
            String name = kebab(component.getName());
            keys.put(
                    name,
                    new Key(
                            name,
                            component.getType(),
                            element,
                            component.isAnnotationPresent(Fraction.class),
                            fallback == null ? null : YamlTree.value(fallback.value(), "default of " + name),
                            component));
        }
        ShortForm form = type.getAnnotation(ShortForm.class);
        shortForm = form == null ? List.of() : List.of(form.value());
    }

    /** The schema of a record class. */
    static Schema of(Class<?> type) {
        // Not computeIfAbsent: schemas of nested records are asked for while one is made.
        Schema schema = KNOWN.get(type);
        if (schema == null) {
            schema = new Schema(type);
            KNOWN.put(type, schema);
        }
        return schema;
    }

    /** The keys in the order of the record. */
    List<Key> keys() {
        return new ArrayList<>(keys.values());
    }

    /** A key by its name, null if there is none. */
    Key key(String name) {
        return keys.get(name);
    }

    /** {@code "unknown key 'epoch' in phases[0]; did you mean 'epochs'?"}. */
    KofnException unknown(String where, String name, String section) {
        return KofnException.usage(
                "%s: unknown key '%s'%s%s",
                where, name, section.isEmpty() ? "" : " in " + section, Suggest.hint(name, keys.keySet()));
    }

    /** The long form of a value: a scalar becomes the section it stands for; anything else is itself. */
    Node expand(Node node) {
        if (!(node instanceof Node.Scalar) || shortForm.isEmpty()) {
            return node;
        }
        Node.Mapping mapping = new Node.Mapping(node.where(), new LinkedHashMap<>(), true);
        shortForm.forEach(key -> mapping.values().put(key, node));
        return mapping;
    }

    /** {@code weightDecay} → {@code weight-decay}. */
    private static String kebab(String camel) {
        return camel.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
    }
}
