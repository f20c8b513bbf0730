package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kofn.data.DataCatalog;
import org.kofn.data.DataInfo;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Zoo;

/** Every recipe that ships, against the network and the data that it names. */
class ConfigsTest {
    private static final Path CONFIGS = Path.of("configs");

    static Stream<Path> configs() {
        try (Stream<Path> files = Files.walk(CONFIGS)) {
            return files.filter(file -> file.toString().endsWith(".yaml")).sorted().toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Network network(Recipe recipe) {
        DataInfo data = DataCatalog.info(recipe.data().name());
        return Zoo.build(
                recipe.model().name(), new Shape(data.channels(), data.height(), data.width()), data.classes());
    }

    private static List<LayerPlan> plan(String file) {
        Recipe recipe = RecipeReader.read(CONFIGS.resolve(file), List.of(), 1);
        return LayerPlan.resolve(recipe.prune(), network(recipe));
    }

    @ParameterizedTest
    @MethodSource("configs")
    void isReadPlannedAndWritten(Path file) {
        Recipe recipe = RecipeReader.read(file, List.of(), 1);
        DataInfo data = DataCatalog.info(recipe.data().name());
        assertThat(recipe.data().validationCount(data.trainSize())).isBetween(1L, data.trainSize() / 5);
        if (recipe.prune() != null) {
            assertThat(LayerPlan.resolve(recipe.prune(), network(recipe))).isNotEmpty();
        }
        assertThat(RecipeReader.parse(RecipeWriter.toYaml(recipe), "written")).isEqualTo(recipe);
    }

    /** The budgets that the published comparisons are made at, as parts of the weights (biases aside). */
    @ParameterizedTest
    @CsvSource({
        "paper/lenet-300-100.yaml, 0.0200",
        "paper/lenet-300-100-1pct.yaml, 0.0102",
        "paper/lenet-300-100-2-4.yaml, 0.5000",
        "paper/lenet-5.yaml, 0.0236",
        "paper/lenet-5-1pct.yaml, 0.0100",
    })
    void keepsThePartOfTheWeightsThatItSays(String file, double atMost) {
        Recipe recipe = RecipeReader.read(CONFIGS.resolve(file), List.of(), 1);
        double all = 0;
        double dropped = 0;
        for (Network.Weight weight : network(recipe).weights()) {
            all += size(weight);
        }
        for (LayerPlan plan : plan(file)) {
            dropped += size(plan.weight()) * (1 - plan.density());
        }
        assertThat(1 - dropped / all).isBetween(atMost - 0.0005, atMost);
    }

    private static double size(Network.Weight weight) {
        return Arrays.stream(weight.shape()).reduce(1, (a, b) -> a * b);
    }

    @Test
    void theQuickstartPrunesAsTheReadmeSays() {
        List<LayerPlan> plans = plan("quickstart.yaml");
        assertThat(plans).extracting(plan -> plan.weight().layer()).containsExactly("conv2", "fc1", "fc2");
        assertThat(plans.get(0).layout().granularity().label()).isEqualTo("kernel");
        assertThat(plans.get(0).density()).isEqualTo(0.25);
        assertThat(plans.subList(1, 3)).allMatch(plan -> plan.density() <= 0.1);
    }

    @Test
    void theResNetPrunesItsBlocksAndNothingElse() {
        assertThat(plan("cifar-10-resnet-20.yaml"))
                .hasSize(18)
                .allMatch(plan -> plan.weight().layer().matches("layer\\d\\.\\d\\.conv\\d") && plan.density() == 0.25);
    }
}
