package org.kofn.runtime;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.nn.Network;

/**
 * Runs an {@link InferenceGraph} in LibTorch's dense operations, one after another: the oracle of the sparse runtime,
 * and what runs where the native kernels do not.
 */
public final class LibTorchExecutor {
    private final InferenceGraph graph;
    private final Map<Op, List<String>> lastReads;

    /** An executor of a graph, which must stay open as long. */
    public LibTorchExecutor(InferenceGraph graph) {
        this.graph = graph;
        this.lastReads = Lifetime.lastReads(graph);
    }

    /**
     * The class scores of a batch. Call it inside a {@code PointerScope}: the result belongs to the caller's scope.
     *
     * @param images fp32 [batch, channels, height, width] on the CPU
     * @return fp32 [batch, classes]
     */
    public Tensor forward(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            Map<String, Tensor> values = new HashMap<>(Map.of(Network.INPUT, images));
            for (Op op : graph.ops()) {
                List<Tensor> inputs = op.inputs().stream().map(values::get).toList();
                values.put(op.name(), TorchOps.run(op, inputs));
                for (String name : lastReads.get(op)) {
                    Tensor dead = values.remove(name);
                    if (dead != images) {
                        dead.close();
                    }
                }
            }
            return values.get(graph.output());
        }
    }
}
