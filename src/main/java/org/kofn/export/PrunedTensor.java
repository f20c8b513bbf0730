package org.kofn.export;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/**
 * A parameter of which exactly k of n candidates are kept in every group.
 *
 * @param parameter its name in the module, such as {@code conv2.weight}
 * @param layout how the parameter is seen as groups and candidates
 * @param k kept candidates a group, 1 ≤ k ≤ n
 * @param mask boolean [G, n] on the CPU
 */
public record PrunedTensor(String parameter, MaskLayout layout, long k, Tensor mask) {
    /** Checks the mask's type and shape and the range of k, not the mask's contents: see {@link #wrongGroup}. */
    public PrunedTensor {
        if (k < 1 || k > layout.candidates()) {
            throw new IllegalArgumentException(parameter + ": k = " + k + " of " + layout.candidates());
        }
        long[] shape = {layout.groups(), layout.candidates()};
        if (mask.scalar_type().intern() != ScalarType.Bool || !Arrays.equals(Tensors.shape(mask), shape)) {
            throw new IllegalArgumentException(parameter + ": the mask must be boolean " + Arrays.toString(shape));
        }
    }

    /** The first group that does not keep exactly k, or −1. */
    public long wrongGroup() {
        byte[] bits = Tensors.bytes(mask);
        int n = Math.toIntExact(layout.candidates());
        for (int start = 0; start < bits.length; start += n) {
            int kept = 0;
            for (int i = start; i < start + n; i++) {
                kept += bits[i];
            }
            if (kept != k) {
                return start / n;
            }
        }
        return -1;
    }

    /** How many weights are kept: G·k·E. */
    public long kept() {
        return layout.groups() * k * layout.elements();
    }
}
