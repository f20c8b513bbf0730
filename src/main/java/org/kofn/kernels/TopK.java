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
     * Selects from scores [G, n]. LibTorch's {@code topk} leaves ties open, so where the k-th score occurs more often
     * than it is wanted, or winners tie among themselves, a stable sort decides; that is rare with noise and slower.
     */
    static TopK of(Tensor scores, long k) {
        T_TensorTensor_T top = scores.topk(k, 1, true, true);
        // A tuple's members live in the tuple; the copies share the data and have a life of their own.
        Tensor values = new Tensor(top.get0());
        Tensor kth = values.narrow(1, k - 1, 1);
        boolean cut = scores.ge(kth).sum().item_long() != scores.size(0) * k;
        boolean tied = k > 1
                && values.narrow(1, 0, k - 1).eq(values.narrow(1, 1, k - 1)).any().item_bool();
        if (!cut && !tied) {
            return new TopK(values, new Tensor(top.get1()));
        }
        T_TensorTensor_T sorted = scores.sort(new BoolOptional(true), 1, true);
        return new TopK(
                sorted.get0().narrow(1, 0, k).contiguous(),
                sorted.get1().narrow(1, 0, k).contiguous());
    }
}
