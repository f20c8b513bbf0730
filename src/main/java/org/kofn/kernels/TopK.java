package org.kofn.kernels;

import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;

/**
 * The k largest of every row, in descending order, ties going to the lowest index.
 *
 * @param values [G, k], descending
 * @param indices int64 [G, k]
 */
record TopK(Tensor values, Tensor indices) {

    /**
     * Selects from scores [G, n]. LibTorch's {@code topk} leaves ties open, so where winners tie, with each other or
     * with the first loser, a stable sort decides; that is rare with noise, and slower.
     */
    static TopK of(Tensor scores, long k) {
        // One more than wanted, so that a tie across the cut shows in the last two columns.
        long seen = Math.min(k + 1, scores.size(1));
        T_TensorTensor_T top = scores.topk(seen, 1, true, true);
        // A tuple's members live in the tuple; the copies share the data and have a life of their own.
        Tensor values = new Tensor(top.get0());
        boolean tied = seen > 1
                && values.narrow(1, 0, seen - 1)
                        .eq(values.narrow(1, 1, seen - 1))
                        .any()
                        .item_bool();
        if (!tied) {
            return new TopK(
                    values.narrow(1, 0, k).contiguous(),
                    new Tensor(top.get1()).narrow(1, 0, k).contiguous());
        }
        T_TensorTensor_T sorted = scores.sort(new BoolOptional(true), 1, true);
        return new TopK(
                sorted.get0().narrow(1, 0, k).contiguous(),
                sorted.get1().narrow(1, 0, k).contiguous());
    }
}
