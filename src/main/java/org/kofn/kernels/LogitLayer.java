package org.kofn.kernels;

import org.bytedeco.pytorch.Tensor;

/**
 * A pruned weight with the scores that choose its mask.
 *
 * @param weight the weight and its mask
 * @param logits φ [G, n], of the latent weight's type and device; for methods that do not learn, any score
 * @param gradient receives ∂L/∂φ [G, n]; null where the scores are not learnt
 */
public record LogitLayer(MaskedWeight weight, Tensor logits, Tensor gradient) {

    /** Checks that there is one logit a candidate. */
    public LogitLayer {
        if (logits.dim() != 2
                || logits.size(0) != weight.layout().groups()
                || logits.size(1) != weight.layout().candidates()) {
            throw new IllegalArgumentException("layer " + weight.layer() + ": logits must be [G, n]");
        }
    }
}
