package org.kofn.prune;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.kernels.Gradients;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.MaskedWeight;
import org.kofn.kernels.Reference;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/** What every pruning method promises, and what each of them means. */
class PruningMethodsTest {
    private PointerScope scope;
    private MaskedWeight weight;

    @BeforeEach
    void weight() {
        scope = new PointerScope();
        torch.manual_seed(3);
        MaskLayout layout = MaskLayout.of("conv", Granularity.KERNEL, new long[] {6, 10, 3, 3}, 0, 1);
        Tensor latent = torch.randn(6, 10, 3, 3);
        weight = new MaskedWeight("conv", 2, layout, latent, torch.zeros(6, 10, 3, 3));
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private PruningMethod method(String name) {
        Kernels kernels = new Reference();
        List<MaskedWeight> weights = List.of(weight);
        PruningMethod method =
                switch (name) {
                    case "dpp" -> dpp(false);
                    case "magnitude" -> new Magnitude(kernels, weights, 4, true);
                    default -> new RandomPruning(kernels, weights, 7, 4, true);
                };
        method.begin();
        return method;
    }

    private DynamicProbabilisticPruning dpp(boolean fromMagnitude) {
        return new DynamicProbabilisticPruning(
                new Reference(),
                List.of(weight),
                new DynamicProbabilisticPruning.Settings(7, fromMagnitude, null, false));
    }

    private static PruneStep step(int step) {
        return new PruneStep(step, step, 1, 0.5, 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"dpp", "magnitude", "random"})
    void keepsExactlyKAtEveryStepWhileKShrinks(String name) {
        PruningMethod method = method(name);
        for (int step = 0; step < 20; step++) {
            weight.k(Math.max(2, 10 - step));
            method.apply(step(step));
            assertThat(Tensors.longs(weight.mask().sum(1))).containsOnly(weight.k());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"dpp", "magnitude", "random"})
    void freezesToTheSameMaskEveryTime(String name) {
        PruningMethod method = method(name);
        weight.k(3);
        method.apply(step(5));
        method.freeze();
        byte[] first = Tensors.bytes(weight.mask());
        method.apply(step(6));
        method.freeze();
        assertThat(Tensors.bytes(weight.mask())).isEqualTo(first);
    }

    @Test
    void dppDrawsAnewEveryStepAndTheSameForTheSameStep() {
        PruningMethod method = method("dpp");
        weight.k(3);
        method.apply(step(1));
        byte[] first = Tensors.bytes(weight.mask());
        method.apply(step(2));
        assertThat(Tensors.bytes(weight.mask())).isNotEqualTo(first);
        method.apply(step(1));
        assertThat(Tensors.bytes(weight.mask())).isEqualTo(first);
    }

    @Test
    void dppLeavesLogitsAloneWhileEverythingIsKept() {
        PruningMethod method = method("dpp");
        Tensor logits = method.logits().get("conv");
        weight.k(10);
        method.apply(step(0));
        Gradients.set(weight.effective(), torch.ones_like(weight.latent()));
        method.backward();
        assertThat(logits.grad().defined()).isFalse();
        weight.k(9);
        method.apply(step(1));
        method.backward();
        assertThat(logits.grad().abs().sum().item_double()).isPositive();
    }

    @Test
    void dppWithMaskedGradientTeachesOnlyWhatWasDrawn() {
        PruningMethod method = method("dpp");
        weight.k(4);
        method.apply(step(0));
        Gradients.set(weight.effective(), torch.ones_like(weight.latent()));
        method.backward();
        Tensor learns = weight.layout().reduce(weight.latent().grad()).ne(new org.bytedeco.pytorch.Scalar(0));
        assertThat(learns.equal(weight.mask())).isTrue();
    }

    @Test
    void randomLogitsHaveTheDeviationOfTheirGranularity() {
        MaskLayout wide = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {100, 500}, 0, 1);
        MaskedWeight fc = new MaskedWeight("fc", 0, wide, torch.zeros(100, 500), torch.zeros(100, 500));
        Tensor logits = new DynamicProbabilisticPruning(
                        new Reference(), List.of(fc), new DynamicProbabilisticPruning.Settings(7, false, null, true))
                .logits()
                .get("fc");
        assertThat(logits.std().item_double()).isBetween(0.49, 0.51);
        assertThat(logits.mean().item_double()).isBetween(-0.01, 0.01);
    }

    @Test
    void logitsFromMagnitudeFreezeToTheMagnitudeMask() {
        weight.k(4);
        DynamicProbabilisticPruning method = dpp(true);
        method.begin();
        method.freeze();
        byte[] fromLogits = Tensors.bytes(weight.mask());
        method("magnitude").freeze();
        assertThat(fromLogits).isEqualTo(Tensors.bytes(weight.mask()));
    }

    @Test
    void magnitudeKeepsTheLargestNorms() {
        PruningMethod method = method("magnitude");
        weight.k(3);
        method.freeze();
        float[] norms = Tensors.floats(weight.layout().reduce(weight.latent().square()));
        byte[] mask = Tensors.bytes(weight.mask());
        for (int g = 0; g < 6; g++) {
            float smallestKept = Float.MAX_VALUE;
            float largestDropped = 0;
            for (int j = 10 * g; j < 10 * g + 10; j++) {
                if (mask[j] != 0) {
                    smallestKept = Math.min(smallestKept, norms[j]);
                } else {
                    largestDropped = Math.max(largestDropped, norms[j]);
                }
            }
            assertThat(smallestKept).isGreaterThan(largestDropped);
        }
    }

    @Test
    void magnitudeKeepsItsMaskBetweenRefreshes() {
        PruningMethod method = method("magnitude");
        weight.k(3);
        method.apply(step(0));
        byte[] first = Tensors.bytes(weight.mask());
        weight.latent().neg_().add_(new org.bytedeco.pytorch.Scalar(5), new org.bytedeco.pytorch.Scalar(1));
        weight.latent().mul_(torch.rand(6, 10, 1, 1));
        method.apply(step(1));
        assertThat(Tensors.bytes(weight.mask())).isEqualTo(first);
        method.apply(step(4));
        assertThat(Tensors.bytes(weight.mask())).isNotEqualTo(first);
    }

    @Test
    void randomMasksAreNestedAsKFalls() {
        PruningMethod method = method("random");
        weight.k(6);
        method.freeze();
        byte[] six = Tensors.bytes(weight.mask());
        weight.k(2);
        method.freeze();
        byte[] two = Tensors.bytes(weight.mask());
        for (int j = 0; j < two.length; j++) {
            assertThat(two[j]).isLessThanOrEqualTo(six[j]);
        }
    }
}
