package org.kofn.prune;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A way of choosing which k of n candidates stay. It holds the {@link org.kofn.kernels.MaskedWeight}s it was made with;
 * k may change between steps, and every mask it writes has exactly k ones in every group.
 */
public interface PruningMethod {

    /** The name in recipes. */
    String name();

    /**
     * Called once, when latent weights hold what pruning starts from (a pre-trained network, or a fresh one): makes the
     * scores that depend on them.
     */
    void begin();

    /** Writes mask and effective weight of every layer for a training step. */
    void apply(PruneStep step);

    /** Reads the gradients of the effective weights; writes those of the latent weights and of {@link #logits}. */
    void backward();

    /** Writes the masks that the method would keep for good, at the current k: no noise, no randomness of a step. */
    void freeze();

    /** The learnt logits [G, n] by layer, which an optimiser steps; empty for methods that learn none. */
    Map<String, Tensor> logits();
}
