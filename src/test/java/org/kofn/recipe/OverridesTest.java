package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.recipe.RecipeReaderTest.SHORT;
import static org.kofn.recipe.Refusals.assertRefused;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OverridesTest {
    private static Recipe with(String... overrides) {
        return RecipeReader.parse(SHORT, "r.yaml", List.of(overrides), 1);
    }

    @Test
    void replaceWhatIsThere() {
        Recipe recipe = with("prune.layers[0].keep=4/32", "phases[0].epochs=3", "model=lenet-300-100");
        assertThat(recipe.prune().layers().get(0).keep()).isEqualTo(new KeepRecipe(null, "4/32", 0.6));
        assertThat(recipe.phases().get(0).epochs()).isEqualTo(3);
        assertThat(recipe.model().name()).isEqualTo("lenet-300-100");
    }

    @Test
    void makeWhatIsNot() {
        Recipe recipe =
                with("batch=64", "prune.noise.from=0.3", "checkpoint.every-steps=10", "phases[0].optimizer.rate=1");
        assertThat(recipe.batch()).isEqualTo(64);
        assertThat(recipe.prune().noise()).isEqualTo(new Anneal(0.3, 0.001, "geometric"));
        assertThat(recipe.checkpoint().everySteps()).isEqualTo(10);
        assertThat(recipe.phases().get(0).optimizer().rate()).isEqualTo(1);
    }

    @Test
    void reachIntoShortForms() {
        Recipe recipe = with("data.shift=1", "prune.layers[0].keep.from=8x");
        assertThat(recipe.data()).isEqualTo(new DataRecipe("mnist", null, "10%", 1, 0, false));
        assertThat(recipe.prune().layers().get(0).keep()).isEqualTo(new KeepRecipe("8x", "8/800", 0.6));
    }

    @Test
    void takeYamlForAValueAndApplyInOrder() {
        Recipe recipe = with("batch=1", "batch = 2", "prune=~", "phases=[{phase: dense, epochs: 2}]");
        assertThat(recipe.batch()).isEqualTo(2);
        assertThat(recipe.prune()).isNull();
        assertThat(recipe.phases()).containsExactly(new PhaseRecipe("dense", 2, null, null, null, Convolutions.DENSE));
    }

    @Test
    void appendToLists() {
        Recipe recipe =
                with("phases[1]={phase: finetune, epochs: 2}", "prune.layers[1].match=fc2", "prune.layers[1].keep=5%");
        assertThat(recipe.phases()).hasSize(2);
        assertThat(recipe.prune().layers().get(1).match()).isEqualTo("fc2");
    }

    @Test
    void makeAListWhereThereIsNone() {
        Recipe recipe = RecipeReader.parse(
                "model: lenet-5\ndata: mnist\n",
                "r.yaml",
                List.of("phases[0].phase=prune", "phases[0].epochs=1", "prune.layers[0]={match: fc1, keep: 1%}"),
                1);
        assertThat(recipe.prune().layers().get(0).match()).isEqualTo("fc1");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
            batch                  | --set batch: write KEY=VALUE, as in --set batch=64
            =64                    | --set =64: write KEY=VALUE, as in --set batch=64
            a b=1                  | --set a b=1: 'a b' is not a path of keys such as prune.layers[0].keep
            prune..method=dpp      | --set prune..method=dpp: 'prune..method' is not a path of keys such as prune.layers[0].keep
            prune.layer[0].keep=1% | --set prune.layer[0].keep=1%: unknown key 'layer' in prune; did you mean 'layers'?
            bacth=64               | --set bacth=64: unknown key 'bacth'; did you mean 'batch'?
            batch=many             | --set batch=many: batch: expected a whole number, found 'many'
            batch=0                | --set batch=0: batch: must be at least 1, not 0
            batch=[                | --set batch=[: not valid YAML: expected the node content, but found '<stream end>'
            batch.size=1           | --set batch.size=1: batch is a single value and has no keys
            batch[0]=1             | --set batch[0]=1: batch is not a list
            phases.epochs=3        | --set phases.epochs=3: phases is a list; name an item of it: phases[0].epochs
            phases[2].epochs=3     | --set phases[2].epochs=3: phases has 1 item, so the next index is [1]
            phases[1].epochs=3     | --set phases[1].epochs=3: key 'phases[1].phase' is missing
            model.name=lenet5      | --set model.name=lenet5: model: unknown model 'lenet5'; did you mean 'lenet-5'? known:
            prune={a: 1, a: 2}     | --set prune={a: 1, a: 2}: key 'a' is written twice; keep one
            """)
    void refuseWithTheOverrideInFront(String override, String message) {
        assertRefused(() -> with(override)).startsWith(message);
    }

    @Test
    void sayWhereTheRecipeStandsInTheWay() {
        assertRefused(() -> RecipeReader.parse(
                        "model: lenet-5\nphases: {phase: dense}\n", "r.yaml", List.of("phases[0].epochs=3"), 1))
                .isEqualTo("--set phases[0].epochs=3: phases is a section of keys in the recipe (r.yaml:2),"
                        + " so nothing can be set inside it");
    }
}
