package org.kofn.runtime;

import java.util.Arrays;
import java.util.BitSet;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.torch.Tensors;

/**
 * Lists and weights of a layer as the native kernels take them, all lists of one length. Lists that became shorter when
 * feature maps were removed are filled up with weights that are zero; where none did, the weights are those of the
 * layer itself, not a copy.
 *
 * @param kept which weights are kept; all of them, as one list that all outputs share, where a layer has no lists
 * @param k the length of every list
 * @param indices [O/b][k], of the scope that {@link #of} was called in
 * @param weights [O/b][k][b][R][S], likewise
 */
record KeptWeights(KeptKernels kept, int k, IntPointer indices, FloatPointer weights) {
    /** Those of a layer, in the caller's scope. */
    static KeptWeights of(Op.Weighted op) {
        Weights weights = op.weights();
        if (weights.kept() == null) {
            KeptKernels all = everything(weights);
            Tensor transposed = weights.floats().transpose(0, 1).contiguous();
            return new KeptWeights(all, all.inputs(), new IntPointer(all.indices()[0]), transposed.data_ptr_float());
        }
        KeptKernels kept = weights.kept();
        int k = Math.max(1, kept.longest());
        boolean even = Arrays.stream(kept.indices()).allMatch(list -> list.length == k);
        KeptKernels full = even ? kept : filledUp(kept, k);
        int[] indices =
                Arrays.stream(full.indices()).flatMapToInt(Arrays::stream).toArray();
        Tensor kernels = even ? weights.kernels() : filledUp(weights, full);
        return new KeptWeights(kept, k, new IntPointer(indices), kernels.data_ptr_float());
    }

    /** All inputs for all outputs, as one shared list. */
    private static KeptKernels everything(Weights weights) {
        int[] all = new int[weights.inputs()];
        Arrays.setAll(all, i -> i);
        return new KeptKernels(weights.outputs(), all.length, new int[][] {all});
    }

    /** Every list with the lowest inputs that are not in it, up to k, ascending. */
    private static KeptKernels filledUp(KeptKernels kept, int k) {
        int[][] full = new int[kept.indices().length][];
        for (int group = 0; group < full.length; group++) {
            BitSet inputs = new BitSet();
            Arrays.stream(kept.indices()[group]).forEach(inputs::set);
            while (inputs.cardinality() < k) {
                inputs.set(inputs.nextClearBit(0));
            }
            full[group] = inputs.stream().toArray();
        }
        return new KeptKernels(kept.share(), kept.inputs(), full);
    }

    /** The kernels in their places among those of longer lists, which are zero. */
    private static Tensor filledUp(Weights weights, KeptKernels full) {
        Tensor kernels = weights.kernels();
        Tensor all = torch.zeros(new long[] {full.size(), kernels.size(1)}, kernels.options());
        return all.index_copy_(0, Tensors.indices(full.rows(weights.kept().places())), kernels);
    }
}
