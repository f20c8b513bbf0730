package org.kofn.runtime;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.kofn.nn.Window;

/**
 * How many zeros the padded form of each value has around it: as many as the convolutions that read it need, and as
 * many as those it is added to, since a residual has the layout of the sum.
 */
final class Halos {
    private final Map<String, Integer> halos = new HashMap<>();

    /** The halos of a graph in which {@code padded} operations use the padded form. */
    Halos(InferenceGraph graph, Predicate<Op> padded) {
        for (Op op : graph.ops()) {
            if (padded.test(op) && op instanceof Op.Conv conv) {
                Window window = conv.window();
                raise(conv.input(), Math.max(window.padHeight(), window.padWidth()));
            }
        }
        boolean changed = true;
        while (changed) {
            changed = false;
            for (Op op : graph.ops()) {
                if (padded.test(op)
                        && op instanceof Op.Conv conv
                        && conv.epilogue().residual() != null) {
                    String residual = conv.epilogue().residual();
                    changed |= raise(residual, of(conv.name()));
                    changed |= raise(conv.name(), of(residual));
                }
            }
        }
    }

    /** The halo of a value. */
    int of(String value) {
        return halos.getOrDefault(value, 0);
    }

    private boolean raise(String value, int least) {
        boolean more = of(value) < least;
        if (more) {
            halos.put(value, least);
        }
        return more;
    }
}
