package org.kofn.runtime;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.kofn.nn.Layer;
import org.kofn.nn.Shape;

/**
 * Which channels of which values stand or fall together: a channel that is removed before a rectifier is missing after
 * it, a sum needs the same channels of all its inputs, a concatenation stacks them, and flattening makes a run of
 * features of each. Only convolutions and linear layers separate their outputs from their inputs. Disjoint sets with
 * path halving, over the channels of all values.
 */
final class ChannelClasses {
    private final Map<String, Integer> starts = new HashMap<>();
    private final int[] parents;

    /** The classes of a graph whose values have these shapes. */
    ChannelClasses(InferenceGraph graph, Map<String, Shape> shapes) {
        int count = 0;
        for (Map.Entry<String, Shape> value : shapes.entrySet()) {
            starts.put(value.getKey(), count);
            count += value.getValue().channels();
        }
        parents = new int[count];
        for (int i = 0; i < count; i++) {
            parents[i] = i;
        }
        for (Op op : graph.ops()) {
            if (!(op instanceof Op.Weighted)) {
                join(op, shapes);
            }
        }
    }

    /** The class of a channel of a value: a number below the number of channels of all values. */
    int of(String value, int channel) {
        int at = starts.get(value) + channel;
        while (parents[at] != at) {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        return at;
    }

    private void join(Op op, Map<String, Shape> shapes) {
        List<String> inputs = op.inputs();
        Layer layer = op instanceof Op.Plain plain ? plain.layer() : null;
        int from = 0;
        for (String input : inputs) {
            Shape shape = shapes.get(input);
            int features = layer instanceof Layer.Flatten ? shape.height() * shape.width() : 1;
            for (int channel = 0; channel < shape.channels(); channel++) {
                for (int feature = 0; feature < features; feature++) {
                    parents[of(op.name(), from + channel * features + feature)] = of(input, channel);
                }
            }
            from += layer instanceof Layer.Concat ? shape.channels() : 0;
        }
    }
}
