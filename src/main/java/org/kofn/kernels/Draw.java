package org.kofn.kernels;

/**
 * What a sampling step is a function of. Together with a layer's index it determines every random bit of the step.
 *
 * @param seed the run's seed: the Philox key
 * @param step the training step: the third word of the Philox counter
 * @param temperature τ &gt; 0 of the relaxation
 * @param noise s ≥ 0, the scale of the Gumbel noise
 * @param entropy β, the weight of the entropy of softmax(φ) in the loss
 * @param denseGradient whether dropped weights learn too (∂L/∂W = ∂L/∂Weff, as in DPF) or not (∂L/∂W = M ⊙ ∂L/∂Weff)
 */
public record Draw(long seed, int step, double temperature, double noise, double entropy, boolean denseGradient) {

    /** Checks the ranges. */
    public Draw {
        if (!(temperature > 0) || !(noise >= 0) || !Double.isFinite(entropy)) {
            throw new IllegalArgumentException("temperature must be positive, noise not negative, entropy finite");
        }
    }
}
