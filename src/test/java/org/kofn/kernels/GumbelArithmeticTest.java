package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Philox;
import org.kofn.torch.Tensors;

/** Bits that {@code cuda/common/arithmetic.h} gave, compiled with and without hardware for fused multiply-adds. */
class GumbelArithmeticTest {

    @ParameterizedTest
    @CsvSource({
        "0x00000000, 0x41B6FDA9",
        "0x00000001, 0x41AE33B3",
        "0x00000002, 0x41AA1D88",
        "0x0000FFFF, 0x41317218",
        "0x00010000, 0x41317208",
        "0x00010001, 0x413171F8",
        "0x12345678, 0x4026D6B8",
        "0x20000000, 0x4000DBDA",
        "0x3FFFFFFF, 0x3F9F79A2",
        "0x40000000, 0x3F9F79A2",
        "0x4AFB0CCB, 0x3F87A2F1",
        "0x4AFB0CCC, 0x3F87A2F1",
        "0x7FFFFFFF, 0x3EBBA795",
        "0x80000000, 0x3EBBA795",
        "0xA1B2C3D4, 0x3AAD5B56",
        "0xA1D20000, 0x37E300C9",
        "0xC0000000, 0xBEA73C9B",
        "0xDEADBEEF, 0xBF36631E",
        "0xFFFF0000, 0xC019FD28",
        "0xFFFFFF00, 0xC033F236",
        "0xFFFFFFFE, 0xC0452B66",
        "0xFFFFFFFF, 0xC04851D5",
    })
    void sameBitsAsTheNativeKernels(String word, String bits) {
        int actual = Float.floatToRawIntBits(GumbelArithmetic.gumbel(Integer.parseUnsignedInt(word.substring(2), 16)));
        assertThat(actual).isEqualTo(Integer.parseUnsignedInt(bits.substring(2), 16));
    }

    /** All of 65,536 words spread over the range at once: h = 31·h + bits, from h = 1. */
    @Test
    void sameBitsAllOverTheRange() {
        int hash = 1;
        for (int i = 0; i < 65_536; i++) {
            hash = 31 * hash + Float.floatToRawIntBits(GumbelArithmetic.gumbel(65_537 * i));
        }
        assertThat(hash).isEqualTo(0x400225FD);
    }

    @Test
    void isTheLogarithmOfTheLogarithm() {
        IntStream.range(0, 100_000).map(i -> 42_949 * i).forEach(word -> {
            double exact = -Math.log(-Math.log1p(GumbelNoise.minusV(word)));
            double unit = Math.max(Math.ulp((float) exact), Math.ulp(0.5f));
            assertThat(Math.abs(GumbelArithmetic.gumbel(word) - exact) / unit)
                    .as("word %08X", word)
                    .isLessThan(4);
        });
    }

    @Test
    void noiseIsThatOfPhiloxWordByWord() {
        try (Tensor noise = GumbelNoise.of(77, 5, 3, 4, 6, ScalarType.Float)) {
            float[] values = Tensors.floats(noise);
            for (int group = 0; group < 4; group++) {
                for (int candidate = 0; candidate < 6; candidate++) {
                    int word = Philox.words(77, candidate / 4, group, 5, 3)[candidate % 4];
                    assertThat(values[6 * group + candidate]).isEqualTo(GumbelArithmetic.gumbel(word));
                }
            }
        }
    }

    /**
     * y = φ + s·g is rounded after the product and after the sum. The logits are such that all y of a group lie within
     * a few units of the last place, so that rounding chooses the mask and a fused operation would choose another.
     */
    @Test
    void perturbedLogitsAreRoundedTwice() {
        int groups = 500;
        int n = 24;
        int k = 7;
        double s = 0.3;
        try (PointerScope scope = new PointerScope();
                Tensor noise = GumbelNoise.of(8, 2, 0, groups, n, ScalarType.Float)) {
            float[] g = Tensors.floats(noise);
            float[] logits = new float[g.length];
            float[] twice = new float[g.length];
            float[] fused = new float[g.length];
            for (int i = 0; i < g.length; i++) {
                logits[i] = (float) (1 - s * g[i]);
                twice[i] = logits[i] + (float) s * g[i];
                fused[i] = Math.fma((float) s, g[i], logits[i]);
            }
            byte[] mask = sampled(logits, groups, n, k, s);
            assertThat(mask).isEqualTo(kept(twice, groups, n, k)).isNotEqualTo(kept(fused, groups, n, k));
        }
    }

    @Test
    void zerosOfBothSignsTie() {
        float[] logits = {-0f, 0f, -0f, 0f, -1f, 0f, -0f, 0f};
        assertThat(sampled(logits, 2, 4, 2, 0)).containsExactly(1, 1, 0, 0, 0, 1, 1, 0);
        assertThat(sampled(logits, 1, 8, 3, 0)).containsExactly(1, 1, 1, 0, 0, 0, 0, 0);
    }

    /** The mask of {@link Reference}, which {@link Kernels#select} must agree with where there is no noise. */
    private static byte[] sampled(float[] values, int groups, int n, int k, double noise) {
        try (PointerScope scope = new PointerScope()) {
            MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {groups, n}, 0, 1);
            Tensor latent = torch.ones(groups, n);
            MaskedWeight weight = new MaskedWeight("fc", 0, layout, latent, torch.zeros_like(latent));
            weight.k(k);
            LogitLayer layer = new LogitLayer(weight, Tensors.of(values, groups, n), null);
            Kernels kernels = new Reference();
            kernels.sample(List.of(layer), new Draw(8, 2, 1, noise, 0, true));
            byte[] mask = Tensors.bytes(weight.mask());
            if (noise == 0) {
                kernels.select(List.of(layer));
                assertThat(Tensors.bytes(weight.mask())).isEqualTo(mask);
            }
            return mask;
        }
    }

    /** The k largest of every group, ties to the lowest candidate, by sorting plainly. */
    private static byte[] kept(float[] y, int groups, int n, int k) {
        byte[] mask = new byte[y.length];
        for (int group = 0; group < groups; group++) {
            int first = group * n;
            Stream<Integer> order = IntStream.range(first, first + n)
                    .boxed()
                    .sorted((a, b) -> y[a] == y[b] ? a - b : Float.compare(y[b], y[a]));
            order.limit(k).forEach(i -> mask[i] = 1);
        }
        return mask;
    }
}
