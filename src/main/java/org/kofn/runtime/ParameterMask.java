package org.kofn.runtime;

import org.bytedeco.pytorch.Tensor;
import org.kofn.mask.MaskLayout;

/**
 * Which candidates of a pruned parameter are kept.
 *
 * @param layout how the parameter is seen as G groups of n candidates
 * @param mask boolean [G, n]; dropped weights of the parameter are 0
 */
public record ParameterMask(MaskLayout layout, Tensor mask) {}
