package org.kofn.export;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A compact file, unfolded: every parameter and buffer dense again, and the masks. The tensors are on the CPU, belong to
 * this object and not to a {@code PointerScope} of the caller; {@link #close} frees them.
 */
public final class CompactModel implements AutoCloseable {
    private final Map<String, Tensor> tensors;
    private final List<PrunedTensor> pruned;
    private final String recipe;
    private final Map<String, String> extra;

    CompactModel(Map<String, Tensor> tensors, List<PrunedTensor> pruned, String recipe, Map<String, String> extra) {
        this.tensors = Collections.unmodifiableMap(tensors);
        this.pruned = List.copyOf(pruned);
        this.recipe = recipe;
        this.extra = Collections.unmodifiableMap(extra);
    }

    /** Parameters and buffers by name, in the module's order; dropped weights are +0.0. */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** The pruned parameters with their masks, in the module's order. */
    public List<PrunedTensor> pruned() {
        return pruned;
    }

    /** The resolved recipe, as YAML. */
    public String recipe() {
        return recipe;
    }

    /** What else the writer said: model, input, classes. */
    public Map<String, String> extra() {
        return extra;
    }

    /** Frees tensors and masks. */
    @Override
    public void close() {
        tensors.values().forEach(Tensor::close);
        pruned.forEach(layer -> layer.mask().close());
    }
}
