package org.kofn.recipe;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kofn.base.KofnException;

/** YAML to a {@link Recipe}; see the package for the stages, {@code docs/recipes.md} for the keys. */
public final class RecipeReader {
    private RecipeReader() {}

    /**
     * Reads a recipe.
     *
     * @param file YAML, UTF-8
     * @param overrides {@code KEY=VALUE}, as in {@code prune.layers[0].keep=4/32}; applied in order, the value is YAML
     * @param epochsScale makes the run so many times as long; 1 leaves it
     * @throws KofnException (file) when it cannot be read; (usage), with file, line and key, when it is no recipe
     */
    public static Recipe read(Path file, List<String> overrides, double epochsScale) {
        try {
            return parse(Files.readString(file, StandardCharsets.UTF_8), file.toString(), overrides, epochsScale);
        } catch (NoSuchFileException e) {
            throw KofnException.file(e, "%s: no such recipe; the ones that come with kofn lie in configs/", file);
        } catch (CharacterCodingException e) {
            throw KofnException.file(e, "%s: is not UTF-8 text, so not a recipe", file);
        } catch (IOException e) {
            throw KofnException.file(
                    e,
                    "%s: cannot be read%s",
                    file,
                    Files.isDirectory(file) ? ": it is a directory; name a .yaml file" : ": " + e.getMessage());
        }
    }

    /** Parses a recipe from text; {@code source} stands for the file in errors. */
    public static Recipe parse(String yaml, String source) {
        return parse(yaml, source, List.of(), 1);
    }

    /** Parses a recipe from text; parameters and errors as {@link #read}. */
    public static Recipe parse(String yaml, String source, List<String> overrides, double epochsScale) {
        try {
            Node.Mapping root = YamlTree.document(yaml, source);
            overrides.forEach(override -> Overrides.apply(root, Recipe.class, override));
            inherit(root, "optimizer", OptimizerRecipe.class);
            inherit(root, "schedule", ScheduleRecipe.class);
            Recipe recipe = Binder.bind(Recipe.class, root);
            return epochsScale == 1 ? recipe : recipe.scaled(epochsScale);
        } catch (KofnException e) {
            // What the user wrote may have line breaks and is quoted in messages, which are one line.
            throw new KofnException(e.exitCode(), e.getMessage().replaceAll("\\R", "\\\\n"), e.getCause());
        }
    }

    /** A phase's own optimizer or schedule takes from the recipe's what it leaves out. */
    private static void inherit(Node.Mapping root, String key, Class<?> type) {
        Schema schema = Schema.of(type);
        if (!(root.values().get("phases") instanceof Node.Sequence phases)
                || root.values().get(key) == null
                || !(schema.expand(root.values().get(key)) instanceof Node.Mapping base)) {
            return;
        }
        for (Node phase : phases.items()) {
            if (phase instanceof Node.Mapping mapping
                    && mapping.values().get(key) != null
                    && schema.expand(mapping.values().get(key)) instanceof Node.Mapping own) {
                Map<String, Node> merged = new LinkedHashMap<>(own.values());
                base.values().forEach(merged::putIfAbsent);
                mapping.values().put(key, new Node.Mapping(own.where(), merged, false));
            }
        }
    }
}
