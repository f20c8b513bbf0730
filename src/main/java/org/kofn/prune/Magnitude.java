package org.kofn.prune;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.MaskedWeight;

/**
 * The k candidates of largest L2 norm in every group, anew every few steps while k falls cubically to its goal: the
 * baseline (Zhu and Gupta, "To prune, or not to prune", 2017), with the exact per-group k that this project compares
 * at. With the dense gradient it is the update of Lin et al., "Dynamic Model Pruning with Feedback" (ICLR 2020).
 */
public final class Magnitude extends ScoredPruning {

    /** The method; {@code every} is 16 in DPF. */
    public Magnitude(Kernels kernels, List<MaskedWeight> weights, int every, boolean denseGradient) {
        super(kernels, weights, every, denseGradient);
    }

    @Override
    public String name() {
        return "magnitude";
    }

    @Override
    Tensor scores(MaskedWeight weight) {
        return norms(weight);
    }

    /** The L2 norm of every candidate [G, n]. */
    static Tensor norms(MaskedWeight weight) {
        return weight.layout().reduce(weight.latent().square()).sqrt_();
    }
}
