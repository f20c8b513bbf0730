package org.kofn.runtime;

import java.util.List;

/**
 * Holds all weights as they are to be stored. Every layer's are rounded, whatever computes it: what does may depend on
 * the batch, and the network must not.
 */
final class StoreWeights {
    private StoreWeights() {}

    /** The graph with weights in that storage. */
    static InferenceGraph of(InferenceGraph graph, Storage storage) {
        List<Op> ops = graph.ops().stream()
                .map(op -> op instanceof Op.Weighted weighted
                        ? weighted.with(weighted.weights().stored(storage), weighted.bias())
                        : op)
                .toList();
        return new InferenceGraph(graph.input(), ops);
    }
}
