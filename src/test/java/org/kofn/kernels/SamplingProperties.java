package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/** Exactly k of n, for any layout; and the right candidates, with the right probabilities. */
class SamplingProperties {

    @Property(tries = 400)
    void exactlyKOfNInEveryGroup(
            @ForAll @IntRange(min = 0, max = 3) int granularity,
            @ForAll @IntRange(min = 1, max = 3) int share,
            @ForAll @IntRange(min = 0, max = 3) int logitKind,
            @ForAll long seed) {
        Random random = new Random(seed);
        int m = 1 + random.nextInt(8);
        long[] shape = {
            (long) share * (1 + random.nextInt(5)),
            (long) m * (1 + random.nextInt(5)),
            1 + random.nextInt(3),
            1 + random.nextInt(3)
        };
        Granularity kind = Granularity.values()[granularity];
        MaskLayout layout = MaskLayout.of("conv", kind, shape, m, kind == Granularity.FILTER ? 1 : share);
        long n = layout.candidates();
        long k = random.nextInt(4) == 0 ? n : 1 + random.nextInt((int) n);
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(seed);
            Tensor latent = torch.randn(shape);
            Tensor effective = torch.empty_like(latent);
            MaskedWeight weight = new MaskedWeight("layer", 0, layout, latent, effective);
            weight.k(k);
            Tensor logits = logits(logitKind, layout);
            List<LogitLayer> layers = List.of(new LogitLayer(weight, logits, torch.empty_like(logits)));
            Kernels kernels = new Reference();
            kernels.sample(layers, new Draw(seed, random.nextInt(1000), 1, random.nextInt(2), 0, true));
            assertExact(weight);
            kernels.select(layers);
            assertExact(weight);
        }
    }

    /** Normal, all equal, few distinct values (many ties), huge. */
    private static Tensor logits(int kind, MaskLayout layout) {
        long[] size = {layout.groups(), layout.candidates()};
        return switch (kind) {
            case 0 -> torch.randn(size);
            case 1 -> torch.zeros(size);
            case 2 -> torch.randn(size).round();
            default -> torch.randn(size).mul(new Scalar(1e30f));
        };
    }

    private static void assertExact(MaskedWeight weight) {
        Tensor counts = weight.mask().sum(1);
        assertThat(Tensors.longs(counts)).containsOnly(weight.k());
        // What the network computes with is the latent weight where the mask says so, seen element by element.
        float[] latent = Tensors.floats(weight.latent());
        float[] effective = Tensors.floats(weight.effective());
        boolean[] kept = IndexOracle.keptElements(weight.layout(), Tensors.bytes(weight.mask()));
        for (int e = 0; e < latent.length; e++) {
            assertThat(Float.floatToRawIntBits(effective[e]))
                    .isEqualTo(kept[e] ? Float.floatToRawIntBits(latent[e]) : 0);
        }
    }

    @Example
    void tiesGoToTheLowestIndex() {
        try (PointerScope scope = new PointerScope()) {
            MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {1, 6}, 0, 1);
            MaskedWeight weight = new MaskedWeight("fc", 0, layout, torch.ones(1, 6), torch.zeros(1, 6));
            weight.k(3);
            Tensor logits = Tensors.of(new float[] {0, 1, 0, 2, 0, 0}, 1, 6);
            new Reference().select(List.of(new LogitLayer(weight, logits, null)));
            assertThat(Tensors.bytes(weight.mask())).containsExactly(1, 1, 0, 1, 0, 0);
        }
    }

    @Example
    void logitsThatAreNotNumbersAreRefusedByLayer() {
        try (PointerScope scope = new PointerScope()) {
            MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {1, 3}, 0, 1);
            MaskedWeight weight = new MaskedWeight("layer2.0.conv1", 0, layout, torch.ones(1, 3), torch.zeros(1, 3));
            weight.k(1);
            Tensor logits = Tensors.of(new float[] {0, Float.NaN, 1}, 1, 3);
            assertThatThrownBy(() -> new Reference().select(List.of(new LogitLayer(weight, logits, null))))
                    .isInstanceOf(KofnException.class)
                    .hasMessage("layer layer2.0.conv1: its logits are not finite numbers");
        }
    }

    /**
     * Gumbel top-k draws without replacement: the probability of an ordered choice is the Plackett–Luce product (Kool,
     * van Hoof and Welling, ICML 2019). All 6 unordered pairs of 4 candidates, chi-squared with 5 degrees of freedom.
     */
    @Example
    void selectionFrequenciesArePlackettLuce() {
        double[] phi = {0.7, -0.4, 0.1, 1.2};
        int draws = 40_000;
        int[] count = new int[16];
        try (PointerScope scope = new PointerScope()) {
            long groups = draws;
            MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {groups, 4}, 0, 1);
            MaskedWeight weight = new MaskedWeight("fc", 5, layout, torch.ones(groups, 4), torch.zeros(groups, 4));
            weight.k(2);
            float[] rows = new float[4 * draws];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = (float) phi[i % 4];
            }
            Tensor logits = Tensors.of(rows, groups, 4);
            new Reference()
                    .sample(
                            List.of(new LogitLayer(weight, logits, torch.empty_like(logits))),
                            new Draw(9, 0, 1, 1, 0, true));
            byte[] mask = Tensors.bytes(weight.mask());
            for (int g = 0; g < draws; g++) {
                int bits = 0;
                for (int j = 0; j < 4; j++) {
                    bits |= mask[4 * g + j] << j;
                }
                count[bits]++;
            }
        }
        double chi = 0;
        for (int i = 0; i < 4; i++) {
            for (int j = i + 1; j < 4; j++) {
                double expected = draws * (ordered(phi, i, j) + ordered(phi, j, i));
                double off = count[1 << i | 1 << j] - expected;
                chi += off * off / expected;
            }
        }
        // The 99.99 % quantile of chi-squared with 5 degrees of freedom; the seed is fixed, so the test is not random.
        assertThat(chi).isLessThan(25.74);
    }

    private static double ordered(double[] phi, int first, int second) {
        double total = 0;
        for (double x : phi) {
            total += Math.exp(x);
        }
        return Math.exp(phi[first]) / total * Math.exp(phi[second]) / (total - Math.exp(phi[first]));
    }

    @Property(tries = 20)
    void sameSeedStepAndLayerGiveTheSameNoise(@ForAll long seed, @ForAll @IntRange(min = 0) int step) {
        try (Tensor a = GumbelNoise.of(seed, step, 2, 3, 7, ScalarType.Float);
                Tensor b = GumbelNoise.of(seed, step, 2, 3, 7, ScalarType.Float);
                Tensor other = GumbelNoise.of(seed, step, 3, 3, 7, ScalarType.Float)) {
            assertThat(a.equal(b)).isTrue();
            assertThat(a.equal(other)).isFalse();
            assertThat(a.isfinite().all().item_bool()).isTrue();
        }
    }

    @Example
    void singleAndDoublePrecisionAreTheSameNoise() {
        try (PointerScope scope = new PointerScope();
                Tensor single = GumbelNoise.of(4, 9, 1, 100, 333, ScalarType.Float);
                Tensor exact = GumbelNoise.of(4, 9, 1, 100, 333, ScalarType.Double)) {
            double error = single.to(ScalarType.Double).sub(exact).abs().max().item_double();
            assertThat(error).isPositive().isLessThan(2e-6);
        }
    }

    @Example
    void extremeRandomWordsGiveFiniteNoise() {
        assertThat(-Math.log(-Math.log1p(GumbelNoise.minusV(0)))).isBetween(22.8, 22.9);
        assertThat(-Math.log(-Math.log1p(GumbelNoise.minusV(-1)))).isBetween(-3.14, -3.12);
    }
}
