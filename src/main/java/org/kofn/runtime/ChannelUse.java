package org.kofn.runtime;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;

/**
 * Which channels a graph can do without: constants that fit into the biases of those that read them, and channels that
 * nothing reads. {@link ChannelClasses} says what must go together; a class goes when none of its members is needed.
 * Removing outputs frees the inputs that they alone read, so the search repeats until nothing changes.
 */
final class ChannelUse {
    private final InferenceGraph graph;
    private final Map<String, Shape> shapes;
    private final ChannelConstants constants;
    private final ChannelClasses classes;
    /** By operation: whether output o reads input i, at o·inputs + i. */
    private final Map<String, BitSet> reads = new HashMap<>();
    /** Classes that stay although nothing needs them, since a value without channels is none. */
    private final Map<Integer, String> forced = new HashMap<>();
    /** The classes that stay, and why. */
    private Map<Integer, String> needed = Map.of();
    /** By value, the channels that go. */
    private Map<String, BitSet> removed = Map.of();

    /** Searches a graph whose epilogues are empty. */
    ChannelUse(InferenceGraph graph) {
        this.graph = graph;
        this.shapes = graph.shapes();
        this.constants = new ChannelConstants(graph, shapes);
        this.classes = new ChannelClasses(graph, shapes);
        for (Op op : graph.ops()) {
            if (op instanceof Op.Weighted weighted) {
                reads.put(op.name(), weighted.weights().reads());
            }
        }
        do {
            search();
        } while (forceOneChannel());
    }

    /** The channels of a value that go. */
    BitSet removed(String value) {
        return removed.get(value);
    }

    /** The channels of a value that stay, ascending. */
    int[] left(String value) {
        return IntStream.range(0, shapes.get(value).channels())
                .filter(channel -> !removed.get(value).get(channel))
                .toArray();
    }

    /** The constants of all channels. */
    ChannelConstants constants() {
        return constants;
    }

    /** The class of a channel. */
    int classOf(String value, int channel) {
        return classes.of(value, channel);
    }

    /** Why a class stays, or null where it goes. */
    String whyNeeded(int channelClass) {
        return needed.get(channelClass);
    }

    private void search() {
        Map<String, BitSet> next = new HashMap<>();
        shapes.keySet().forEach(value -> next.put(value, new BitSet()));
        Map<String, BitSet> before = null;
        while (!next.equals(before)) {
            before = Map.copyOf(next);
            removed = before;
            needed = needed();
            next.replaceAll((value, channels) -> unneeded(value));
        }
    }

    private BitSet unneeded(String value) {
        BitSet channels = new BitSet();
        for (int channel = 0; channel < shapes.get(value).channels(); channel++) {
            channels.set(channel, !needed.containsKey(classes.of(value, channel)));
        }
        return channels;
    }

    /** The classes that stay, and why, when {@link #removed} goes. */
    private Map<Integer, String> needed() {
        Map<Integer, String> found = new HashMap<>(forced);
        need(found, Network.INPUT, "they are the image's");
        need(found, graph.output(), "they are the network's output");
        for (Op op : graph.ops()) {
            if (op instanceof Op.Weighted weighted && weighted.groups() > 1) {
                String why = op.name() + " convolves channels in groups";
                need(found, weighted.input(), why);
                need(found, op.name(), why);
            } else if (op instanceof Op.Weighted weighted) {
                needReads(found, weighted);
            }
        }
        return found;
    }

    private void need(Map<Integer, String> found, String value, String why) {
        for (int channel = 0; channel < shapes.get(value).channels(); channel++) {
            found.putIfAbsent(classes.of(value, channel), why);
        }
    }

    /** Needs the inputs that an output which stays reads, and that do not fit into its bias. */
    private void needReads(Map<Integer, String> found, Op.Weighted op) {
        double[] constant = constants.of(op.input());
        for (int i = 0; i < constant.length; i++) {
            boolean fits = constant[i] == 0 || !Double.isNaN(constant[i]) && !op.padded();
            if (!fits && isRead(op, i, constant.length)) {
                String why = Double.isNaN(constant[i])
                        ? op.name() + " reads them with others"
                        : op.name() + " pads its input with zeros, where a constant other than 0 ends";
                found.putIfAbsent(classes.of(op.input(), i), why);
            }
        }
    }

    private boolean isRead(Op.Weighted op, int input, int inputs) {
        BitSet flags = reads.get(op.name());
        BitSet gone = removed.get(op.name());
        for (int o = gone.nextClearBit(0); o < op.outputs(); o = gone.nextClearBit(o + 1)) {
            if (flags.get(o * inputs + input)) {
                return true;
            }
        }
        return false;
    }

    private boolean forceOneChannel() {
        for (Map.Entry<String, Shape> value : shapes.entrySet()) {
            if (removed.get(value.getKey()).cardinality() == value.getValue().channels()) {
                forced.put(classes.of(value.getKey(), 0), "no other is left");
                return true;
            }
        }
        return false;
    }
}
