package org.kofn.runtime;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.nn.Network;

/** What rounding every value of a graph to bf16 does to its scores, in LibTorch's operations. */
final class Rounded {
    private Rounded() {}

    /** The scores of images; the caller's scope owns them. */
    static Tensor scores(InferenceGraph graph, Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            Map<String, Tensor> values = new HashMap<>(Map.of(Network.INPUT, rounded(images)));
            for (Op op : graph.ops()) {
                List<Tensor> inputs = op.inputs().stream().map(values::get).toList();
                values.put(op.name(), rounded(TorchOps.run(op, inputs)));
            }
            return values.get(graph.output());
        }
    }

    static Tensor rounded(Tensor values) {
        return values.to(ScalarType.BFloat16).to(ScalarType.Float);
    }
}
