package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Folds a batch norm into the convolution or linear layer that it alone follows: scale·(Wx + b) + shift = (scale·W)x +
 * (scale·b + shift), computed in double precision and rounded once. A dropped weight stays zero.
 */
final class FoldScaleShift {
    private FoldScaleShift() {}

    /** The graph with fewer operations; a folded one's value is known by the convolution's name. */
    static InferenceGraph of(InferenceGraph graph) {
        Map<String, List<Op>> consumers = graph.consumers();
        Map<String, Integer> places = new HashMap<>();
        Map<String, String> aliases = new HashMap<>();
        List<Op> ops = new ArrayList<>();
        for (Op original : graph.ops()) {
            Op op = original.reading(name -> aliases.getOrDefault(name, name));
            if (op instanceof Op.ScaleShift norm
                    && places.containsKey(norm.input())
                    && consumers.get(original.inputs().get(0)).size() == 1) {
                int place = places.get(norm.input());
                ops.set(place, fold((Op.Weighted) ops.get(place), norm));
                aliases.put(norm.name(), norm.input());
            } else {
                if (op instanceof Op.Weighted) {
                    places.put(op.name(), ops.size());
                }
                ops.add(op);
            }
        }
        return new InferenceGraph(graph.input(), ops);
    }

    private static Op fold(Op.Weighted op, Op.ScaleShift norm) {
        Tensor bias = op.bias().to(ScalarType.Double).mul(norm.scale()).add(norm.shift());
        return op.with(op.weights().scaled(norm.scale()), bias.to(ScalarType.Float));
    }
}
