package org.kofn.kernels;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/**
 * One pruned weight, as kernels and pruning methods see it: the latent weight that is trained, the effective weight
 * that the network computes with, and the mask between them. The tensors are fixed for the life of a run; k may change
 * from step to step.
 */
public final class MaskedWeight {
    private final String layer;
    private final int index;
    private final MaskLayout layout;
    private final Tensor latent;
    private final Tensor effective;
    private final Tensor mask;
    private long k;

    /**
     * A weight that keeps everything until told otherwise.
     *
     * @param layer the layer's name, for errors and metrics
     * @param index the layer's number in the network: the last word of the random counter
     * @param layout how groups and candidates lie in the weight
     * @param latent the trained weight, fp32 (or fp64 in tests), of the layout's shape, contiguous
     * @param effective the module's own tensor, same shape; any floating type
     */
    public MaskedWeight(String layer, int index, MaskLayout layout, Tensor latent, Tensor effective) {
        this.layer = layer;
        this.index = index;
        this.layout = layout;
        this.latent = latent;
        this.effective = effective;
        this.k = layout.candidates();
        this.mask = Tensors.zeros(ScalarType.Bool, latent.device(), layout.groups(), layout.candidates());
        this.mask.fill_(new org.bytedeco.pytorch.Scalar(1));
    }

    /** The layer's name. */
    public String layer() {
        return layer;
    }

    /** The layer's number, part of the random counter. */
    public int index() {
        return index;
    }

    /** Groups, candidates and elements. */
    public MaskLayout layout() {
        return layout;
    }

    /** W: the weight that is trained, {@code layout.shape()}. */
    public Tensor latent() {
        return latent;
    }

    /** M ⊙ W: the tensor that the network computes with, {@code layout.shape()}. */
    public Tensor effective() {
        return effective;
    }

    /** M: bool [G, n], exactly k ones in every row once a kernel has written it. */
    public Tensor mask() {
        return mask;
    }

    /** k: the candidates that stay in every group. */
    public long k() {
        return k;
    }

    /** Sets k for the steps to come; 1 ≤ k ≤ n. */
    public void k(long kept) {
        if (kept < 1 || kept > layout.candidates()) {
            throw new IllegalArgumentException(
                    "layer " + layer + ": k = " + kept + " of " + layout.candidates() + " candidates");
        }
        this.k = kept;
    }
}
