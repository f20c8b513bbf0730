package org.kofn.recipe;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kofn.base.KofnException;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/**
 * YAML text to a tree of {@link Node}s. The token stream is read directly, because only there are line numbers, the
 * text of scalars as written, and duplicate keys still to be seen.
 */
final class YamlTree {
    private final YAMLParser parser;
    private final String source;
    private final boolean lines;

    private YamlTree(YAMLParser parser, String source, boolean lines) {
        this.parser = parser;
        this.source = source;
        this.lines = lines;
    }

    /**
     * A whole document, which must be a mapping.
     *
     * @param yaml the text
     * @param source the file's name, for errors
     * @throws KofnException (usage) with file and line: syntax error, duplicate key, alias, several documents
     */
    static Node.Mapping document(String yaml, String source) {
        Node root = parse(yaml, source, true);
        if (root instanceof Node.Mapping mapping) {
            return mapping;
        }
        throw KofnException.usage(
                "%s: %s; a recipe is a list of keys such as 'model: lenet-5', with model, data and phases at least",
                source, root instanceof Node.Null ? "the recipe is empty" : "found " + root.kind());
    }

    /** A single value, as in {@code --set KEY=VALUE}; {@code where} stands for file and line in errors. */
    static Node value(String yaml, String where) {
        return parse(yaml, where, false);
    }

    private static Node parse(String yaml, String source, boolean lines) {
        try (YAMLParser parser = new YAMLFactory().createParser(yaml)) {
            YamlTree tree = new YamlTree(parser, source, lines);
            JsonToken first = parser.nextToken();
            Node root = first == null ? new Node.Null(source) : tree.node(first, source);
            if (parser.nextToken() != null) {
                throw tree.error("a second document ('---') begins here; a recipe is one document");
            }
            return root;
        } catch (JacksonException e) {
            throw KofnException.usage("%s: not valid YAML: %s", place(source, lines, e), reason(e));
        } catch (IOException e) {
            throw new IllegalStateException("reading from memory", e);
        }
    }

    private Node node(JsonToken token, String where) throws IOException {
        if (parser.isCurrentAlias()) {
            String name = parser.getText();
            throw error(
                    "*%s would be a YAML alias, which recipes do not use; put text that begins with * in quotes: '*%s'",
                    name, name);
        }
        return switch (token) {
            case START_OBJECT -> mapping(where);
            case START_ARRAY -> sequence(where);
            case VALUE_NULL -> new Node.Null(where);
            default -> new Node.Scalar(where, parser.getText());
        };
    }

    private Node mapping(String where) throws IOException {
        Map<String, Node> values = new LinkedHashMap<>();
        for (JsonToken token = parser.nextToken(); token == JsonToken.FIELD_NAME; token = parser.nextToken()) {
            String key = parser.currentName();
            String place = here();
            if (values.containsKey(key)) {
                throw error(
                        "key '%s' is written twice%s; keep one",
                        key, lines ? ", first at " + values.get(key).where() : "");
            }
            values.put(key, node(parser.nextToken(), place));
        }
        return new Node.Mapping(where, values, false);
    }

    private Node sequence(String where) throws IOException {
        List<Node> items = new ArrayList<>();
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            items.add(node(token, here()));
        }
        return new Node.Sequence(where, items);
    }

    private String here() {
        return lines ? source + ":" + parser.currentTokenLocation().getLineNr() : source;
    }

    private KofnException error(String message, Object... args) {
        return KofnException.usage("%s: %s", here(), String.format(message, args));
    }

    /** The place of the problem itself; Jackson's location is the last token before it. */
    private static String place(String source, boolean lines, JacksonException e) {
        if (lines && e.getCause() instanceof MarkedYAMLException marked && marked.getProblemMark() != null) {
            return source + ":" + (marked.getProblemMark().getLine() + 1);
        }
        JsonLocation location = e.getLocation();
        return lines && location != null && location.getLineNr() > 0 ? source + ":" + location.getLineNr() : source;
    }

    /** The parser's reason in one line, without its excerpt of the text. */
    private static String reason(JacksonException e) {
        String reason = e.getCause() instanceof MarkedYAMLException marked && marked.getProblem() != null
                ? marked.getProblem()
                : e.getOriginalMessage();
        return reason.lines()
                .findFirst()
                .orElse("unreadable")
                .replaceFirst(", got this instead: .*", "")
                .trim();
    }
}
