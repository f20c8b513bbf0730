package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.kofn.data.DataCatalog;
import org.kofn.nn.Shape;
import org.kofn.nn.Zoo;

/** {@code docs/recipes.md} against the records: every key with its type and default, no key that does not exist. */
class RecipeDocsTest {
    private static final Path DOCS = Path.of("docs/recipes.md");
    private static final Pattern HEADING = Pattern.compile("### `([^`]+)`.*");
    private static final Pattern ROW = Pattern.compile("\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|");

    private final Set<Class<?>> seen = new HashSet<>();

    @Test
    void everyKeyIsDocumentedWithItsTypeAndDefaultAndNoOther() throws IOException {
        Map<String, List<String>> expected = new LinkedHashMap<>();
        expected.put("recipe", new ArrayList<>());
        collect(Recipe.class, "", expected.get("recipe"), expected);

        Map<String, List<String>> documented = new LinkedHashMap<>();
        List<String> rows = new ArrayList<>();
        for (String line : Files.readAllLines(DOCS)) {
            Matcher heading = HEADING.matcher(line);
            Matcher row = ROW.matcher(line);
            if (heading.matches()) {
                rows = new ArrayList<>();
                documented.put(heading.group(1), rows);
            } else if (row.matches()) {
                rows.add(row.group(1) + " | " + row.group(2) + " | " + row.group(3));
                assertThat(row.group(4)).as("meaning of %s", row.group(1)).isNotBlank();
            }
        }
        assertThat(documented.keySet()).containsExactlyInAnyOrderElementsOf(expected.keySet());
        expected.forEach((section, keys) ->
                assertThat(documented.get(section)).as(section).isEqualTo(keys));
    }

    /** The rows of a record, and those of the records inside it, each where it first occurs. */
    private void collect(Class<?> type, String path, List<String> rows, Map<String, List<String>> sections) {
        for (Schema.Key key : Schema.of(type).keys()) {
            Default fallback = key.component().getAnnotation(Default.class);
            rows.add(key.name() + " | " + type(key) + " | "
                    + (fallback == null
                            ? "required"
                            : fallback.value().equals(Default.NONE) ? "–" : "`" + fallback.value() + "`"));
            boolean list = key.element() != null;
            Class<?> inner = list ? key.element() : key.type();
            if (inner.isRecord() && seen.add(inner)) {
                String name = KeyPath.append(path, key.name()) + (list ? "[]" : "");
                List<String> innerRows = new ArrayList<>();
                sections.put(name, innerRows);
                collect(inner, name, innerRows, sections);
            }
        }
    }

    private static String type(Schema.Key key) {
        if (key.element() != null) {
            return key.element().isRecord() ? "list" : "list of fractions";
        }
        if (key.type().isRecord()) {
            return "section";
        }
        return Binder.expected(key.type(), key.fraction())
                .replaceFirst("^a ", "")
                .replaceFirst(" such as .*", "");
    }

    @Test
    void everyNameThatAKeyTakesIsDocumented() throws IOException {
        String docs = Files.readString(DOCS);
        for (Collection<String> names : List.of(
                Zoo.names(),
                DataCatalog.names(),
                OptimizerRecipe.NAMES,
                ScheduleRecipe.NAMES,
                PruneRecipe.METHODS,
                PruneRecipe.INITS,
                Anneal.SHAPES,
                PruneLayerRecipe.GRANULARITIES,
                PhaseRecipe.PHASES)) {
            assertThat(names).allSatisfy(name -> assertThat(docs).contains("`" + name + "`"));
        }
    }

    @Test
    void theExamplesAreRecipes() throws IOException {
        Matcher block = Pattern.compile("```yaml\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(DOCS));
        int examples = 0;
        for (; block.find(); examples++) {
            Recipe recipe = RecipeReader.parse(block.group(1), "docs/recipes.md");
            if (recipe.prune() != null) {
                assertThat(LayerPlan.resolve(
                                recipe.prune(), Zoo.build(recipe.model().name(), new Shape(1, 28, 28), 10)))
                        .extracting(plan -> plan.weight().layer() + " " + plan.goalK())
                        .containsExactly("conv2 4", "fc1 40", "fc2 25");
            }
        }
        assertThat(examples).isEqualTo(2);
    }
}
