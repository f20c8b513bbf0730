package org.kofn.runtime;

import java.util.List;
import org.kofn.kernels.Precision;

/**
 * Holds all weights as they are to be stored. Every layer's are rounded, whatever computes it: what does may depend on
 * the batch, and the network must not.
 */
final class StoreWeights {
    private StoreWeights() {}

    /** The graph with weights as that precision stores them. */
    static InferenceGraph of(InferenceGraph graph, Precision precision) {
        List<Op> ops = graph.ops().stream()
                .map(op -> op instanceof Op.Weighted weighted
                        ? weighted.with(weighted.weights().stored(precision), weighted.bias())
                        : op)
                .toList();
        return new InferenceGraph(graph.input(), ops);
    }
}
