package org.kofn.prune;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.GumbelNoise;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.MaskedWeight;

/**
 * k candidates of every group at random, drawn once: the floor that a method must beat. As k falls, masks are nested,
 * since the scores stay.
 */
public final class RandomPruning extends ScoredPruning {
    /** Keeps these draws apart from every training step's and from initial logits. */
    private static final int RANDOM_SCORES = -3;

    private final long seed;

    /** The method; masks are a function of the seed. */
    public RandomPruning(Kernels kernels, List<MaskedWeight> weights, long seed, int every, boolean denseGradient) {
        super(kernels, weights, every, denseGradient);
        this.seed = seed;
    }

    @Override
    public String name() {
        return "random";
    }

    @Override
    Tensor scores(MaskedWeight weight) {
        long groups = weight.layout().groups();
        long candidates = weight.layout().candidates();
        try (Tensor noise =
                GumbelNoise.of(seed, RANDOM_SCORES, weight.index(), groups, candidates, ScalarType.Double)) {
            return noise.to(weight.latent().device(), weight.latent().scalar_type(), false, true, null);
        }
    }
}
