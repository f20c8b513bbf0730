package org.kofn.runtime;

import java.util.Arrays;
import java.util.BitSet;
import org.kofn.torch.Tensors;

/**
 * Lists and weights of a layer as the native kernels take them, all lists of one length. Lists that became shorter when
 * feature maps were removed are filled up with weights that are zero.
 *
 * @param kept which weights are kept; all of them, as one list that all outputs share, where a layer has no lists
 * @param k the length of every list
 * @param indices [O/b][k]
 * @param weights [O/b][k][b][R][S]
 */
record KeptWeights(KeptKernels kept, int k, int[] indices, float[] weights) {
    /** Those of a layer. */
    static KeptWeights of(Op.Weighted op) {
        KeptKernels kept = op.kept() == null ? everything(op) : op.kept();
        int k = Math.max(1, kept.longest());
        int[] indices = new int[kept.indices().length * k];
        for (int group = 0; group < kept.indices().length; group++) {
            System.arraycopy(filledUp(kept.indices()[group], k), 0, indices, group * k, k);
        }
        return new KeptWeights(kept, k, indices, packed(op, kept, indices, k));
    }

    /** All inputs for all outputs, as one shared list. */
    private static KeptKernels everything(Op.Weighted op) {
        int[] all = new int[Math.toIntExact(op.weight().size(1))];
        Arrays.setAll(all, i -> i);
        return new KeptKernels(op.outputs(), all.length, new int[][] {all});
    }

    /** The list with the lowest inputs that are not in it, up to k, ascending. */
    private static int[] filledUp(int[] list, int k) {
        BitSet inputs = new BitSet();
        Arrays.stream(list).forEach(inputs::set);
        while (inputs.cardinality() < k) {
            inputs.set(inputs.nextClearBit(0));
        }
        return inputs.stream().toArray();
    }

    private static float[] packed(Op.Weighted op, KeptKernels kept, int[] indices, int k) {
        float[] dense = Tensors.floats(op.weight());
        int taps = dense.length / (kept.outputs() * kept.inputs());
        float[] packed = new float[kept.outputs() * k * taps];
        int at = 0;
        for (int group = 0; group < kept.indices().length; group++) {
            for (int i = group * k; i < (group + 1) * k; i++) {
                for (int o = group * kept.share(); o < (group + 1) * kept.share(); o++, at += taps) {
                    System.arraycopy(dense, (o * kept.inputs() + indices[i]) * taps, packed, at, taps);
                }
            }
        }
        return packed;
    }
}
