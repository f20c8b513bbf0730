package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;

/** The closed-form gradient of the logits against autograd through the explicit O(nk) sum of softmaxes, in fp64. */
class KHotGradientProperties {
    private static final double[] TEMPERATURES = {5, 2, 1, 0.5, 0.2, 0.1};

    @Property(tries = 300)
    void equalsAutogradOverGranularitiesAndTemperatures(
            @ForAll @IntRange(min = 0, max = 3) int granularity,
            @ForAll @IntRange(min = 1, max = 2) int share,
            @ForAll @IntRange(min = 0, max = 5) int temperature,
            @ForAll long seed) {
        Random random = new Random(seed);
        int m = 1 + random.nextInt(4);
        long[] shape = {
            2L * (1 + random.nextInt(3)),
            (long) m * (1 + random.nextInt(4)),
            1 + random.nextInt(3),
            1 + random.nextInt(3)
        };
        Granularity kind = Granularity.values()[granularity];
        MaskLayout layout = MaskLayout.of("conv", kind, shape, m, kind == Granularity.FILTER ? 1 : share);
        long k = 1 + random.nextInt((int) layout.candidates());
        check(layout, k, TEMPERATURES[temperature], seed);
    }

    @Property(tries = 40)
    void equalsAutogradForLongerGroups(@ForAll @IntRange(min = 1, max = 200) int n, @ForAll long seed) {
        Random random = new Random(seed);
        MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {3, n}, 0, 1);
        check(layout, 1 + random.nextInt(n), TEMPERATURES[random.nextInt(TEMPERATURES.length)], seed);
    }

    private static void check(MaskLayout layout, long k, double tau, long seed) {
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(seed);
            Tensor latent = torch.randn(layout.shape()).to(ScalarType.Double);
            Tensor effective = torch.zeros_like(latent);
            Tensor logits = torch.randn(new long[] {layout.groups(), layout.candidates()})
                    .to(ScalarType.Double);
            Tensor gradient = torch.empty_like(logits);
            MaskedWeight weight = new MaskedWeight("layer", 3, layout, latent, effective);
            weight.k(k);
            List<LogitLayer> layers = List.of(new LogitLayer(weight, logits, gradient));
            Draw draw = new Draw(seed, 11, tau, 1.0, 0.01, true);
            Reference kernels = new Reference();
            kernels.sample(layers, draw);
            Tensor upstream = torch.randn(layout.shape()).to(ScalarType.Double);
            Gradients.set(effective, upstream);
            kernels.sampleBackward(layers, draw);

            Tensor expected = autograd(layout, k, tau, seed, logits, latent.mul(upstream), 0.01);
            double scale = Math.max(1, expected.abs().max().item_double());
            double error = gradient.sub(expected).abs().max().item_double();
            assertThat(error / scale).as("%s k=%d tau=%s", layout, k, tau).isLessThan(1e-9);
            assertThat(latent.grad().equal(upstream)).isTrue();
        }
    }

    /** L = Σ soft ⊙ v + β Σ H(softmax φ), differentiated by LibTorch. */
    private static Tensor autograd(
            MaskLayout layout, long k, double tau, long seed, Tensor logits, Tensor product, double beta) {
        Tensor phi = logits.detach().clone();
        phi.requires_grad_(true);
        Tensor noise = GumbelNoise.of(seed, 11, 3, layout.groups(), layout.candidates(), ScalarType.Double);
        Tensor s = phi.add(noise).div(new Scalar(tau));
        Tensor order = s.detach().argsort(1, true);
        Tensor drawn = torch.zeros_like(s);
        Tensor soft = torch.zeros_like(s);
        for (long t = 0; t < k; t++) {
            soft = soft.add(s.masked_fill(drawn.to(ScalarType.Bool), new Scalar(Double.NEGATIVE_INFINITY))
                    .softmax(1));
            drawn = drawn.scatter(1, order.narrow(1, t, 1), new Scalar(1.0));
        }
        Tensor v = layout.reduce(product);
        Tensor logP = phi.log_softmax(1);
        Tensor loss = soft.mul(v).sum().sub(logP.exp().mul(logP).sum().mul(new Scalar(beta)));
        loss.backward();
        return phi.grad();
    }
}
