package org.kofn.prune;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.LogitLayer;
import org.kofn.kernels.MaskedWeight;
import org.kofn.torch.Tensors;

/**
 * Methods that rank candidates by a score that is computed, not learnt: every so many steps the masks are the exact
 * top-k of the scores, in between they stay.
 */
abstract class ScoredPruning implements PruningMethod {
    private final Kernels kernels;
    private final boolean denseGradient;
    private final int every;
    private final List<LogitLayer> layers = new ArrayList<>();
    private final List<MaskedWeight> weights;

    /** The k of every mask as it was selected last; null until that is known. */
    private long[] selected;

    /**
     * A method over these weights.
     *
     * @param every steps between new masks
     * @param denseGradient whether dropped weights learn too
     */
    ScoredPruning(Kernels kernels, List<MaskedWeight> weights, int every, boolean denseGradient) {
        this.kernels = kernels;
        this.weights = List.copyOf(weights);
        this.every = every;
        this.denseGradient = denseGradient;
        for (MaskedWeight weight : weights) {
            try (PointerScope scope = new PointerScope()) {
                Tensor scores = Tensors.keep(
                        torch.zeros_like(weight.mask()).to(weight.latent().scalar_type()));
                layers.add(new LogitLayer(weight, scores, null));
            }
        }
    }

    /** The scores of a weight's candidates, [G, n], of the latent weight's type. */
    abstract Tensor scores(MaskedWeight weight);

    @Override
    public void begin() {}

    @Override
    public void apply(PruneStep step) {
        if (step.phaseStep() % every == 0 || keptChanged()) {
            freeze();
        } else {
            kernels.apply(weights);
        }
    }

    @Override
    public void backward() {
        kernels.applyBackward(weights, denseGradient);
    }

    @Override
    public void freeze() {
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            layers.forEach(layer -> layer.logits().copy_(scores(layer.weight())));
        }
        kernels.select(layers);
        selected = kept();
    }

    /**
     * Whether some k is no longer the mask's. The masks' own k is counted once, so that a resumed run sees what an
     * undisturbed one does, and remembered from then on: counting is a round trip to the device.
     */
    private boolean keptChanged() {
        if (selected == null) {
            try (PointerScope scope = new PointerScope()) {
                selected = weights.stream()
                        .mapToLong(weight -> weight.mask().select(0, 0).sum().item_long())
                        .toArray();
            }
        }
        return !Arrays.equals(selected, kept());
    }

    private long[] kept() {
        return weights.stream().mapToLong(MaskedWeight::k).toArray();
    }

    @Override
    public Map<String, Tensor> logits() {
        return Map.of();
    }
}
