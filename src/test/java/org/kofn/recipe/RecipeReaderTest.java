package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.kofn.recipe.Refusals.assertRefused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

class RecipeReaderTest {
    /** The shortest recipe that prunes. */
    static final String SHORT =
            """
            model: lenet-5
            data: mnist
            prune:
              layers:
                - {match: fc1, keep: 8/800}
            phases:
              - {phase: prune, epochs: 12}
            """;

    private static Recipe parse(String yaml) {
        return RecipeReader.parse(yaml, "r.yaml");
    }

    @Test
    void whatIsLeftOutHasItsDefault() {
        Recipe recipe = parse(SHORT);
        assertThat(recipe.model()).isEqualTo(new ModelRecipe("lenet-5"));
        assertThat(recipe.data()).isEqualTo(new DataRecipe("mnist", null, "10%", 0, 0, false));
        assertThat(recipe.seed()).isEqualTo(1);
        assertThat(recipe.device()).isEqualTo("auto");
        assertThat(recipe.precision()).isEqualTo(Precision.FP32);
        assertThat(recipe.threads()).isZero();
        assertThat(recipe.batch()).isEqualTo(128);
        assertThat(recipe.labelSmoothing()).isZero();
        assertThat(recipe.optimizer()).isEqualTo(new OptimizerRecipe("adam", 1e-3, 0, 0.9, true, 0.9, 0.999));
        assertThat(recipe.schedule()).isEqualTo(new ScheduleRecipe("cosine", 0, 0.01, List.of(0.5, 0.75), 0.1));
        assertThat(recipe.checkpoint()).isEqualTo(new CheckpointRecipe(0, 2));
        assertThat(recipe.phases()).containsExactly(new PhaseRecipe("prune", 12, null, null, null, Convolutions.DENSE));
        assertThat(recipe.prune())
                .isEqualTo(new PruneRecipe(
                        "dpp",
                        new Anneal(5, 0.5, "linear"),
                        new Anneal(0.1, 0.001, "geometric"),
                        new Anneal(0, 0, "linear"),
                        "normal",
                        null,
                        new Anneal(0.05, 0.05, "linear"),
                        true,
                        16,
                        List.of(new PruneLayerRecipe("fc1", "weight", new KeepRecipe(null, "8/800", 0.6), 1))));
    }

    @Test
    void aSectionKeepsTheDefaultsOfTheKeysItLeavesOut() {
        PruneRecipe prune = parse(SHORT.replace(
                        "layers:", "noise: {from: 0.3}\n  entropy: {from: 1e-5}\n  temperature: 2\n  layers:"))
                .prune();
        assertThat(prune.noise()).isEqualTo(new Anneal(0.3, 0.001, "geometric"));
        assertThat(prune.entropy()).isEqualTo(new Anneal(1e-5, 0, "linear"));
        assertThat(prune.temperature()).isEqualTo(new Anneal(2, 2, "linear"));
    }

    @Test
    void longFormsSayTheSameAsShortOnes() {
        Recipe recipe = parse(SHORT.replace("model: lenet-5", "model: {name: lenet-5}")
                .replace("data: mnist", "data:\n  name: mnist")
                .replace("keep: 8/800", "keep: {to: 8/800}"));
        assertThat(recipe).isEqualTo(parse(SHORT));
    }

    @Test
    void readsEveryKindOfValue() {
        Recipe recipe = parse(
                SHORT.replace("data: mnist", "data: {name: mnist, validation: 5000, flip: true, dir: 12}")
                        + """
                seed: -7
                precision: bf16
                label-smoothing: 10%
                optimizer: {name: sgd, rate: 1e-1, weight-decay: .0005}
                schedule: {name: step, milestones: [50%, 0.8]}
                """);
        assertThat(recipe.data()).isEqualTo(new DataRecipe("mnist", "12", "5000", 0, 0, true));
        assertThat(recipe.seed()).isEqualTo(-7);
        assertThat(recipe.precision()).isEqualTo(Precision.BF16);
        assertThat(recipe.labelSmoothing()).isEqualTo(0.1);
        assertThat(recipe.optimizer()).isEqualTo(new OptimizerRecipe("sgd", 0.1, 5e-4, 0.9, true, 0.9, 0.999));
        assertThat(recipe.schedule().milestones()).containsExactly(0.5, 0.8);
    }

    @Test
    void aPhasesOwnOptimizerAndScheduleTakeTheRestFromTheRecipes() {
        Recipe recipe = parse(
                """
                model: lenet-5
                data: mnist
                optimizer: {name: sgd, rate: 0.1, momentum: 0.8}
                schedule: {name: constant, warmup: 2}
                phases:
                  - {phase: dense, epochs: 3, optimizer: {rate: 0.01}, schedule: cosine}
                  - {phase: dense, epochs: 3}
                """);
        PhaseRecipe own = recipe.phases().get(0);
        assertThat(own.optimizer()).isEqualTo(new OptimizerRecipe("sgd", 0.01, 0, 0.8, true, 0.9, 0.999));
        assertThat(own.schedule()).isEqualTo(new ScheduleRecipe("cosine", 2, 0.01, List.of(0.5, 0.75), 0.1));
        assertThat(recipe.optimizerOf(own)).isEqualTo(own.optimizer());
        assertThat(recipe.optimizerOf(recipe.phases().get(1))).isEqualTo(recipe.optimizer());
    }

    @Test
    void epochsScaleShortensPhasesAndWarmUps() {
        Recipe recipe = RecipeReader.parse(
                SHORT + "  - {phase: finetune, epochs: 3, schedule: {warmup: 1}}\nschedule: {warmup: 2}\n",
                "r.yaml",
                List.of(),
                0.1);
        assertThat(recipe.phases()).extracting(PhaseRecipe::epochs).containsExactly(1.2, 0.3);
        assertThat(recipe.schedule().warmup()).isEqualTo(0.2);
        assertThat(recipe.phases().get(1).schedule().warmup()).isEqualTo(0.1);
        assertRefused(() -> RecipeReader.parse(SHORT, "r.yaml", List.of(), 0))
                .isEqualTo("--epochs-scale: must be above 0, not 0");
    }

    @Test
    void readsFiles(@TempDir Path dir) throws Exception {
        Path file = Files.writeString(dir.resolve("r.yaml"), SHORT);
        assertThat(RecipeReader.read(file, List.of("batch=64"), 1).batch()).isEqualTo(64);

        Path missing = dir.resolve("missing.yaml");
        assertFile(missing, missing + ": no such recipe; the ones that come with kofn lie in configs/");
        assertFile(dir, dir + ": cannot be read: it is a directory; name a .yaml file");
        Path binary = Files.write(dir.resolve("b.yaml"), new byte[] {'a', ':', ' ', (byte) 0xff, (byte) 0xfe});
        assertFile(binary, binary + ": is not UTF-8 text, so not a recipe");
    }

    private static void assertFile(Path path, String message) {
        KofnException refusal = catchThrowableOfType(KofnException.class, () -> RecipeReader.read(path, List.of(), 1));
        assertThat(refusal).hasMessage(message);
        assertThat(refusal.exitCode()).isEqualTo(ExitCode.FILE);
    }
}
