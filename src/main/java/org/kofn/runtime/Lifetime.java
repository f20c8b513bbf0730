package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.kofn.nn.Network;

/**
 * How long a value of an {@link InferenceGraph} has to stay in memory.
 *
 * @param value its name
 * @param first the number of the operation that writes it
 * @param last the number of the last operation that reads it; one past the end for the network's output
 * @param bytes its size
 */
public record Lifetime(String value, int first, int last, long bytes) {
    /** Refuses a value that is read before it is written, and sizes below one. */
    public Lifetime {
        if (first > last || bytes < 1) {
            throw new IllegalArgumentException(value + ": written at " + first + ", read until " + last);
        }
    }

    /** Whether both are in memory at some time; a value that an operation reads and one that it writes are. */
    public boolean overlaps(Lifetime other) {
        return first <= other.last && other.first <= last;
    }

    /**
     * The lifetimes of all values but the input's, in the order they are written.
     *
     * @param bytes of a value, by name
     */
    static List<Lifetime> of(InferenceGraph graph, ToLongFunction<String> bytes) {
        Map<String, Integer> last = new HashMap<>();
        for (int i = 0; i < graph.ops().size(); i++) {
            for (String input : graph.ops().get(i).inputs()) {
                last.put(input, i);
            }
        }
        last.put(graph.output(), graph.ops().size());
        List<Lifetime> lifetimes = new ArrayList<>();
        for (int i = 0; i < graph.ops().size(); i++) {
            String name = graph.ops().get(i).name();
            // One whose every reader was removed still has to be written somewhere.
            lifetimes.add(new Lifetime(name, i, last.getOrDefault(name, i), bytes.applyAsLong(name)));
        }
        return lifetimes;
    }

    /** For every operation, the values that nothing reads after it, {@link Network#INPUT} among them. */
    static Map<Op, List<String>> lastReads(InferenceGraph graph) {
        Map<String, Op> last = new HashMap<>();
        graph.ops().forEach(op -> op.inputs().forEach(input -> last.put(input, op)));
        Map<Op, List<String>> reads = new IdentityHashMap<>();
        graph.ops().forEach(op -> reads.put(op, new ArrayList<>()));
        last.forEach((name, op) -> reads.get(op).add(name));
        return reads;
    }
}
