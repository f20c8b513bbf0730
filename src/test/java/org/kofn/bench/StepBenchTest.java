package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.kofn.nn.Network;
import org.kofn.nn.Zoo;
import org.kofn.recipe.LayerPlan;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;

class StepBenchTest {
    /** What is measured is what the recipe that comes with kofn trains. */
    @Test
    void resNet20IsPrunedAsItsRecipeSays() {
        Network network = ZooInput.network("resnet-20");
        Recipe shipped = RecipeReader.read(Path.of("configs/cifar-10-resnet-20.yaml"), List.of(), 1);
        Recipe measured = StepBench.recipe(network, 128, true);
        assertThat(LayerPlan.resolve(measured.prune(), network))
                .hasSize(18)
                .isEqualTo(LayerPlan.resolve(shipped.prune(), network));
        assertThat(measured.prune().temperature()).isEqualTo(shipped.prune().temperature());
        assertThat(measured.optimizer()).isEqualTo(shipped.optimizer());
        assertThat(measured.batch()).isEqualTo(shipped.batch());
        assertThat(measured.data().crop()).isEqualTo(shipped.data().crop());
        assertThat(StepBench.recipe(network, 128, false).prune()).isNull();
    }

    @Test
    void everyNetworkHasSomethingToPrune() {
        for (String name : Zoo.names()) {
            Network network = ZooInput.network(name);
            List<LayerPlan> plans =
                    LayerPlan.resolve(StepBench.recipe(network, 8, true).prune(), network);
            assertThat(plans).as(name).isNotEmpty();
            Network.Weight last = network.weights().get(network.weights().size() - 1);
            assertThat(plans).extracting(LayerPlan::weight).doesNotContain(last);
        }
    }

    @Test
    void aStepOfBothSidesIsMeasured() {
        StepResult result = new StepBench(new Device("cpu"), "reference", new Effort(3, 1)).run("digits-cnn", 8);
        assertThat(result.n()).isEqualTo(3);
        assertThat(result.prunedLayers()).isEqualTo(1);
        assertThat(result.candidates()).isEqualTo(32 * 16);
        assertThat(result.oursMs()).isPositive();
        assertThat(result.kernelsMs()).isPositive().isLessThan(result.oursP80Ms());
        assertThat(result.overheadPercent()).isEqualTo(100 * (result.oursMs() / result.baselineMs() - 1));
        assertThat(result.ratio()).isEqualTo(result.baselineMs() / result.oursMs());
        assertThat(result.kernels()).isEqualTo("reference");
    }

    @Test
    void onlyTheMaskedStepWaitsForTheKernels() {
        StepResult result =
                new StepBench(new Device("cpu"), SlowKernels.choice(), new Effort(3, 1)).run("digits-cnn", 8);
        double slept = SlowKernels.FORWARD + SlowKernels.BACKWARD;
        assertThat(result.oursP20Ms()).isGreaterThan(slept);
        assertThat(result.kernelsMs()).isGreaterThan(slept);
        assertThat(result.baselineP20Ms()).isLessThan(slept);
        assertThat(result.overheadPercent()).isPositive();
        assertThat(result.pairedOverheadPercent()).isPositive();
    }
}
