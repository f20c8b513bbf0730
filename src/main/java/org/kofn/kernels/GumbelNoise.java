package org.kofn.kernels;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Philox;
import org.kofn.torch.Tensors;

/**
 * Gumbel noise that is a pure function of (seed, step, layer, group, candidate).
 *
 * <p>Bits: Philox4x32-10 with key = seed and counter = (candidate / 4, group, step, layer), so that masks do not depend
 * on device, threads, ranks or on an interruption. Values: v = (r + ½)·2⁻³², E = −log1p(−v), g = −ln E. The fine
 * resolution of v near 0 lies where E is small, that is where winners are, and g stays in [−3.13, 22.9]: never
 * infinite. (The usual −log(−log u) in single precision is, for one draw in 2²⁵.)
 *
 * <p>In single precision the arithmetic is {@link GumbelArithmetic}, whose bits all implementations share; in double,
 * for the oracle, LibTorch's.
 */
public final class GumbelNoise {
    private GumbelNoise() {}

    /**
     * Noise of a layer at a step.
     *
     * @param type float32, or float64
     * @return [groups, candidates] on the CPU; the caller owns it
     */
    public static Tensor of(long seed, int step, int layer, long groups, long candidates, ScalarType type) {
        try (PointerScope scope = new PointerScope()) {
            Tensor noise = torch.empty(new long[] {groups, candidates}, new TensorOptions(type), null);
            if (type == ScalarType.Double) {
                double[] row = new double[Math.toIntExact(candidates)];
                DoublePointer to = noise.data_ptr_double().capacity(groups * candidates);
                rows(seed, step, layer, groups, row.length, (group, words) -> {
                    for (int j = 0; j < row.length; j++) {
                        row[j] = minusV(words[j]);
                    }
                    to.position((long) group * row.length).put(row);
                });
                noise.log1p_().neg_().log_().neg_();
            } else {
                float[] row = new float[Math.toIntExact(candidates)];
                FloatPointer to = noise.data_ptr_float().capacity(groups * candidates);
                rows(seed, step, layer, groups, row.length, (group, words) -> {
                    for (int j = 0; j < row.length; j++) {
                        row[j] = GumbelArithmetic.gumbel(words[j]);
                    }
                    to.position((long) group * row.length).put(row);
                });
            }
            return Tensors.keep(noise);
        }
    }

    /** Takes the random words of a group. */
    private interface Row {
        void words(int group, int[] words);
    }

    private static void rows(long seed, int step, int layer, long groups, int candidates, Row row) {
        int quads = (candidates + 3) / 4;
        int[] words = new int[4 * quads];
        for (int group = 0; group < groups; group++) {
            Philox.fill(seed, 0, group, step, layer, words, 0, quads);
            row.words(group, words);
        }
    }

    /** −v for a random word: (r + ½)·2⁻³² with the sign that log1p wants; in (−1, 0), never an end. */
    static double minusV(int word) {
        return -((word & 0xFFFFFFFFL) + 0.5) * 0x1p-32;
    }
}
