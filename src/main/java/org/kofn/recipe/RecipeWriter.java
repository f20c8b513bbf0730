package org.kofn.recipe;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.util.List;

/**
 * A recipe as YAML: every key, in the order of the records, so that a run folder says what was done even after a
 * default has changed. {@link RecipeReader} reads it back as an equal recipe.
 */
public final class RecipeWriter {
    private static final YAMLFactory YAML = YAMLFactory.builder()
            .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
            .disable(YAMLGenerator.Feature.SPLIT_LINES)
            .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
            .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
            .build();

    private RecipeWriter() {}

    /** The whole recipe, ending in a line break. */
    public static String toYaml(Recipe recipe) {
        StringWriter text = new StringWriter();
        try (JsonGenerator out = YAML.createGenerator(text)) {
            section(out, recipe);
        } catch (IOException e) {
            throw new IllegalStateException("writing to memory", e);
        }
        return text.toString();
    }

    private static void section(JsonGenerator out, Record section) throws IOException {
        out.writeStartObject();
        for (Schema.Key key : Schema.of(section.getClass()).keys()) {
            out.writeFieldName(key.name());
            value(out, get(section, key));
        }
        out.writeEndObject();
    }

    private static void value(JsonGenerator out, Object value) throws IOException {
        if (value == null) {
            out.writeNull();
        } else if (value instanceof Record record) {
            section(out, record);
        } else if (value instanceof List<?> items) {
            out.writeStartArray();
            for (Object item : items) {
                value(out, item);
            }
            out.writeEndArray();
        } else if (value instanceof Double number) {
            out.writeNumber(Numbers.text(number));
        } else if (value instanceof Number number) {
            out.writeNumber(number.longValue());
        } else if (value instanceof Boolean flag) {
            out.writeBoolean(flag);
        } else {
            out.writeString(value instanceof Enum<?> ? Binder.label(value) : (String) value);
        }
    }

    private static Object get(Record section, Schema.Key key) {
        try {
            return key.component().getAccessor().invoke(section);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(section.getClass() + "." + key.name(), e);
        }
    }
}
