package org.kofn.runtime;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.kofn.nn.Layer;

/**
 * What became of a layer's feature maps when those without use were removed.
 *
 * @param layer the convolution or linear layer
 * @param outputs the feature maps that it had
 * @param removed how many are gone
 * @param staying why constants, which carry nothing from the image, had to stay, and how many for each reason
 */
public record Removal(String layer, int outputs, int removed, Map<String, Integer> staying) {
    /** Copies the reasons. */
    public Removal {
        staying = Collections.unmodifiableMap(new LinkedHashMap<>(staying));
    }

    /** Such as {@code conv1: 24 of 64 feature maps removed; 3 dropped, but needed: add1 adds others to them}. */
    @Override
    public String toString() {
        StringJoiner text = new StringJoiner("; ", layer + ": ", "");
        if (removed > 0) {
            text.add(removed + " of " + outputs + " feature maps removed");
        }
        staying.forEach((why, count) -> text.add(count + " dropped, but needed: " + why));
        return text.toString();
    }

    /** Those layers of a graph where something was removed, or dropped and not removed. */
    static List<Removal> report(InferenceGraph graph, ChannelUse use) {
        Map<Integer, String> mixing = mixing(graph, use);
        List<Removal> removals = new ArrayList<>();
        for (Op op : graph.ops()) {
            if (op instanceof Op.Weighted weighted) {
                Map<String, Integer> staying = new LinkedHashMap<>();
                double[] constant = use.constants().of(op.name());
                for (int o : use.left(op.name())) {
                    if (!Double.isNaN(constant[o])) {
                        int home = use.classOf(op.name(), o);
                        staying.merge(mixing.getOrDefault(home, use.whyNeeded(home)), 1, Integer::sum);
                    }
                }
                int removed = use.removed(op.name()).cardinality();
                if (removed > 0 || !staying.isEmpty()) {
                    removals.add(new Removal(op.name(), weighted.outputs(), removed, staying));
                }
            }
        }
        return removals;
    }

    /** For each class where constants meet something else, the operation that brings them together. */
    private static Map<Integer, String> mixing(InferenceGraph graph, ChannelUse use) {
        Map<Integer, String> mixing = new HashMap<>();
        for (Op op : graph.ops()) {
            boolean adds = op instanceof Op.Plain plain && plain.layer() instanceof Layer.Add;
            boolean pads = op instanceof Op.Plain plain && plain.layer() instanceof Layer.AvgPool2d;
            if (adds || pads) {
                double[] sums = use.constants().of(op.name());
                for (int c = 0; c < sums.length; c++) {
                    int channel = c;
                    boolean meets = Double.isNaN(sums[c])
                            && op.inputs().stream()
                                    .anyMatch(input ->
                                            !Double.isNaN(use.constants().of(input)[channel]));
                    if (meets) {
                        String does = adds ? " adds others to them" : " averages them with the zeros around the image";
                        mixing.putIfAbsent(use.classOf(op.name(), c), op.name() + does);
                    }
                }
            }
        }
        return mixing;
    }
}
