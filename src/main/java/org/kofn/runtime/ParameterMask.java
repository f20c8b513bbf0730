package org.kofn.runtime;

import org.bytedeco.pytorch.Tensor;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;

/**
 * Which candidates of a pruned parameter are kept, and, where the parameter is not at hand as a whole, their weights.
 *
 * @param layout how the parameter is seen as G groups of n candidates of E elements
 * @param mask boolean [G, n]; dropped weights of the parameter are 0
 * @param values [G, k, E], candidates ascending, as a compact file has them; null where the parameter is given whole
 */
public record ParameterMask(MaskLayout layout, Tensor mask, Tensor values) {
    /** The mask of a parameter that is given whole. */
    public ParameterMask(MaskLayout layout, Tensor mask) {
        this(layout, mask, null);
    }

    /** Whether {@link #values} are kernel after kernel: not where a candidate is one of a kernel's several weights. */
    boolean holdsKernels() {
        long outputs = layout.shape()[0];
        long inputs = layout.shape()[1];
        boolean single = layout.groups() * layout.candidates() * layout.share() == outputs * inputs;
        return values != null && layout.granularity() != Granularity.FILTER && single;
    }
}
