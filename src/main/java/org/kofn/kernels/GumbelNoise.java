package org.kofn.kernels;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Philox;
import org.kofn.torch.Tensors;

/**
 * Gumbel noise that is a pure function of (seed, step, layer, group, candidate).
 *
 * <p>Bits: Philox4x32-10 with key = seed and counter = (candidate / 4, group, step, layer), so that masks do not depend on
 * device, threads, ranks or on an interruption. Values: v = (r + ½)·2⁻³², E = −log1p(−v), g = −ln E. The fine resolution
 * of v near 0 lies where E is small, that is where winners are, and g stays in [−3.13, 22.9]: never infinite. (The usual
 * −log(−log u) in single precision is, for one draw in 2²⁵.)
 */
public final class GumbelNoise {
    private static final Scalar MINUS_ONE = Tensors.keep(new Scalar(-1.0));

    private GumbelNoise() {}

    /**
     * Noise of a layer at a step.
     *
     * @return [groups, candidates], float64 on the CPU; the caller owns it
     */
    public static Tensor of(long seed, int step, int layer, long groups, long candidates) {
        int g = Math.toIntExact(groups);
        int n = Math.toIntExact(candidates);
        int quads = (n + 3) / 4;
        int[] words = new int[4 * quads];
        double[] minusV = new double[Math.multiplyExact(g, n)];
        for (int group = 0; group < g; group++) {
            Philox.fill(seed, 0, group, step, layer, words, 0, quads);
            int at = group * n;
            for (int j = 0; j < n; j++) {
                minusV[at + j] = minusV(words[j]);
            }
        }
        try (PointerScope scope = new PointerScope()) {
            Tensor noise = torch.empty(new long[] {groups, candidates}, new TensorOptions(ScalarType.Double), null);
            noise.data_ptr_double().capacity(minusV.length).put(minusV);
            noise.log1p_().mul_(MINUS_ONE).log_().mul_(MINUS_ONE);
            return Tensors.keep(noise);
        }
    }

    /** −v for a random word: (r + ½)·2⁻³² with the sign that log1p wants; in (−1, 0), never an end. */
    static double minusV(int word) {
        return -((word & 0xFFFFFFFFL) + 0.5) * 0x1p-32;
    }
}
