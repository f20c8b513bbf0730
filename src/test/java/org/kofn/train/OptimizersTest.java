package org.kofn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.kernels.Gradients;
import org.kofn.recipe.OptimizerRecipe;
import org.kofn.torch.Tensors;

/** LibTorch's optimisers are set up as the recipe says: each against the formula, written out. */
class OptimizersTest {
    private static final double RATE = 0.1;
    private static final double DECAY = 0.2;

    private PointerScope scope;
    private Tensor weight;
    private Tensor bias;
    private Tensor logits;

    @BeforeEach
    void open() {
        scope = new PointerScope();
        weight = Tensors.of(new float[] {2}, 1, 1);
        bias = Tensors.of(new float[] {2}, 1);
        logits = Tensors.of(new float[] {2}, 1, 1);
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private Map<String, Tensor> masters() {
        Map<String, Tensor> masters = new LinkedHashMap<>();
        masters.put("fc.weight", weight);
        masters.put("fc.bias", bias);
        return masters;
    }

    private void gradients(float value) {
        List.of(weight, bias, logits).forEach(tensor -> Gradients.set(tensor, torch.full_like(tensor, scalar(value))));
    }

    private static org.bytedeco.pytorch.Scalar scalar(double value) {
        return new org.bytedeco.pytorch.Scalar(value);
    }

    private static OptimizerRecipe recipe(String name) {
        return new OptimizerRecipe(name, RATE, DECAY, 0.9, true, 0.8, 0.95);
    }

    /** Two steps with gradients 1 and −3 by the textbook, with L2 or decoupled decay. */
    private static double adam(double w, double rate, double beta1, double beta2, double l2, double decoupled) {
        double m = 0;
        double v = 0;
        double[] g = {1, -3};
        for (int t = 1; t <= 2; t++) {
            w -= rate * decoupled * w;
            double gradient = g[t - 1] + l2 * w;
            m = beta1 * m + (1 - beta1) * gradient;
            v = beta2 * v + (1 - beta2) * gradient * gradient;
            w -= rate * (m / (1 - Math.pow(beta1, t))) / (Math.sqrt(v / (1 - Math.pow(beta2, t))) + 1e-8);
        }
        return w;
    }

    private void twoSteps(Optimizers optimizers) {
        gradients(1);
        optimizers.step(RATE, 0.5);
        gradients(-3);
        optimizers.step(RATE, 0.5);
    }

    @Test
    void adamHasTheRecipesBetasAndDecaysOnlyWeights() {
        twoSteps(Optimizers.create(recipe("adam"), masters(), List.of(logits)));
        assertThat(weight.item_double()).isCloseTo(adam(2, RATE, 0.8, 0.95, DECAY, 0), within(1e-6));
        assertThat(bias.item_double()).isCloseTo(adam(2, RATE, 0.8, 0.95, 0, 0), within(1e-6));
    }

    @Test
    void logitsHaveAnAdamAndARateOfTheirOwnAndNeverDecay() {
        twoSteps(Optimizers.create(recipe("sgd"), masters(), List.of(logits)));
        assertThat(logits.item_double()).isCloseTo(adam(2, 0.5, 0.9, 0.999, 0, 0), within(1e-6));
    }

    @Test
    void adamwDecouplesDecay() {
        twoSteps(Optimizers.create(recipe("adamw"), masters(), List.of()));
        assertThat(weight.item_double()).isCloseTo(adam(2, RATE, 0.8, 0.95, 0, DECAY), within(1e-6));
        assertThat(bias.item_double()).isCloseTo(adam(2, RATE, 0.8, 0.95, 0, 0), within(1e-6));
    }

    @Test
    void sgdHasNesterovMomentum() {
        twoSteps(Optimizers.create(recipe("sgd"), masters(), List.of()));
        double w = 2;
        double buffer = 0;
        for (double g : new double[] {1, -3}) {
            buffer = 0.9 * buffer + g;
            w -= RATE * (g + 0.9 * buffer);
        }
        assertThat(bias.item_double()).isCloseTo(w, within(1e-6));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sgd", "adam", "adamw"})
    void aSavedStateGoesOnBitForBit(String name, @TempDir Path folder) {
        Optimizers original = Optimizers.create(recipe(name), masters(), List.of(logits));
        twoSteps(original);
        byte[][] state = original.save(folder);
        float[] at = {(float) weight.item_double(), (float) bias.item_double(), (float) logits.item_double()};
        gradients(0.7f);
        original.step(RATE, 0.5);
        int[] expected = bits();

        weight.fill_(scalar(at[0]));
        bias.fill_(scalar(at[1]));
        logits.fill_(scalar(at[2]));
        Optimizers resumed = Optimizers.create(recipe(name), masters(), List.of(logits));
        resumed.load(state[0], state[1], folder);
        gradients(0.7f);
        resumed.step(RATE, 0.5);
        assertThat(bits()).isEqualTo(expected);
        assertThat(folder).isEmptyDirectory();
    }

    private int[] bits() {
        return new int[] {
            Float.floatToRawIntBits((float) weight.item_double()),
            Float.floatToRawIntBits((float) bias.item_double()),
            Float.floatToRawIntBits((float) logits.item_double())
        };
    }

    @Test
    void aTensorWithoutGradientStays() {
        Optimizers optimizers = Optimizers.create(recipe("adam"), masters(), List.of(logits));
        twoSteps(optimizers);
        double before = logits.item_double();
        Gradients.clear(logits);
        optimizers.step(RATE, 0.5);
        assertThat(logits.item_double()).isEqualTo(before);
    }
}
