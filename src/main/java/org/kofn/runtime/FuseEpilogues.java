package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;

/**
 * Moves sums with a residual, and rectifiers, into the epilogue of the convolution or linear layer before them. A sum
 * of two convolutions goes to the later one, where the other's value is there already. What others read too stays.
 */
final class FuseEpilogues {
    private final InferenceGraph graph;
    private final Map<String, List<Op>> consumers;
    /** The values that are computed before the operation at hand, by all their names. */
    private final Set<String> computed = new HashSet<>(Set.of(Network.INPUT));
    /** Values of operations that went into another's epilogue, and that other's name. */
    private final Map<String, String> aliases = new HashMap<>();

    private final Set<String> absorbed = new HashSet<>();

    private FuseEpilogues(InferenceGraph graph) {
        this.graph = graph;
        this.consumers = graph.consumers();
    }

    /** The graph with fewer operations; a fused one's value is known by the convolution's name. */
    static InferenceGraph of(InferenceGraph graph) {
        return new FuseEpilogues(graph).fuse();
    }

    private InferenceGraph fuse() {
        List<Op> ops = new ArrayList<>();
        for (Op original : graph.ops()) {
            if (absorbed.contains(original.name())) {
                continue;
            }
            Op op = original.reading(name -> aliases.getOrDefault(name, name));
            ops.add(op instanceof Op.Weighted weighted ? extend(weighted) : op);
            computed.add(op.name());
        }
        return new InferenceGraph(graph.input(), ops);
    }

    /** The operation with what follows it, as far as that goes into its epilogue. */
    private Op.Weighted extend(Op.Weighted op) {
        String value = op.name();
        Op next = only(value);
        String residual = op instanceof Op.Conv ? residual(next, value) : null;
        if (residual != null) {
            absorb(next, op);
            op = op.with(op.epilogue().plus(aliases.getOrDefault(residual, residual)));
            next = only(next.name());
        }
        Epilogue.Rectifier rectifier = rectifier(next);
        if (rectifier != Epilogue.Rectifier.NONE) {
            absorb(next, op);
            op = op.with(op.epilogue().then(rectifier));
        }
        return op;
    }

    private void absorb(Op next, Op.Weighted into) {
        absorbed.add(next.name());
        aliases.put(next.name(), into.name());
        computed.add(next.name());
    }

    /** The only operation that reads a value, or null. */
    private Op only(String value) {
        List<Op> readers = consumers.get(value);
        return readers.size() == 1 ? readers.get(0) : null;
    }

    /** What a sum of two adds to this value, where that is computed before it; otherwise null. */
    private String residual(Op next, String value) {
        if (!(next instanceof Op.Plain plain && plain.layer() instanceof Layer.Add)
                || next.inputs().size() != 2) {
            return null;
        }
        String other = next.inputs().get(next.inputs().get(0).equals(value) ? 1 : 0);
        return computed.contains(other) ? other : null;
    }

    private static Epilogue.Rectifier rectifier(Op op) {
        if (op instanceof Op.Plain plain && plain.layer() instanceof Layer.Activation activation) {
            if (activation.kind() == Layer.Activation.Kind.RELU) {
                return Epilogue.Rectifier.RELU;
            } else if (activation.kind() == Layer.Activation.Kind.RELU6) {
                return Epilogue.Rectifier.RELU6;
            }
        }
        return Epilogue.Rectifier.NONE;
    }
}
