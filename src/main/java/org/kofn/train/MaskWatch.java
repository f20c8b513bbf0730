package org.kofn.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.compress.Compression;
import org.kofn.kernels.MaskedWeight;
import org.kofn.mask.MaskMetrics;

/**
 * Follows the noise-free masks from epoch to epoch: densities, confidence, diversity, and how many candidates changed
 * sides.
 */
final class MaskWatch {
    private final Compression compression;
    private final Map<String, Tensor> previous = new LinkedHashMap<>();

    MaskWatch(Compression compression) {
        this.compression = compression;
        try (NoGradGuard guard = new NoGradGuard()) {
            compression
                    .pruned()
                    .forEach(
                            weight -> previous.put(weight.layer(), weight.mask().clone()));
        }
    }

    /** The masks seen last, by layer: part of a checkpoint. */
    Map<String, Tensor> previous() {
        return previous;
    }

    /** Measures the masks as they are, which {@link Compression#freeze} has just written, and remembers them. */
    List<EpochMetrics.LayerMetrics> measure() {
        List<EpochMetrics.LayerMetrics> out = new ArrayList<>();
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            for (MaskedWeight weight : compression.pruned()) {
                Tensor before = previous.get(weight.layer());
                double flips = (double) weight.mask().ne(before).sum().item_long() / before.numel();
                before.copy_(weight.mask());
                MaskMetrics metrics = metrics(weight.layer());
                long n = weight.layout().candidates();
                out.add(new EpochMetrics.LayerMetrics(
                        weight.layer(),
                        weight.k(),
                        n,
                        (double) weight.k() / n,
                        metrics == null ? null : metrics.confidence(),
                        metrics == null ? null : metrics.diversity(),
                        flips));
            }
        }
        return out;
    }

    /** Confidence and diversity of a layer's logits; null for methods that learn none. */
    MaskMetrics metrics(String layer) {
        Tensor logits = compression.method() == null
                ? null
                : compression.method().logits().get(layer);
        return logits == null ? null : MaskMetrics.of(logits);
    }
}
