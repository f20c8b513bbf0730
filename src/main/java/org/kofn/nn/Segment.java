package org.kofn.nn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Consecutive layers of a network that run as one, so that something else can happen between them.
 *
 * @param layers in the order they run
 * @param inputs the values from outside that they take, each once
 * @param outputs the values of theirs that later segments take, or the network's scores
 */
public record Segment(List<Layer> layers, List<String> inputs, List<String> outputs) {

    /**
     * A network in segments: each layer of {@code apart} is one of its own, and so is each stretch between them.
     *
     * @param apart names of layers
     */
    public static List<Segment> cut(Network network, Set<String> apart) {
        List<List<Layer>> stretches = new ArrayList<>();
        boolean open = false;
        for (Layer layer : network.layers()) {
            boolean alone = apart.contains(layer.name());
            if (alone || !open) {
                stretches.add(new ArrayList<>());
            }
            stretches.get(stretches.size() - 1).add(layer);
            open = !alone;
        }
        List<Segment> segments = new ArrayList<>();
        Set<String> wantedLater = new HashSet<>(
                Set.of(network.layers().get(network.layers().size() - 1).name()));
        for (int i = stretches.size() - 1; i >= 0; i--) {
            List<String> own = stretches.get(i).stream().map(Layer::name).toList();
            Set<String> inputs = new LinkedHashSet<>();
            stretches.get(i).forEach(layer -> inputs.addAll(layer.inputs()));
            own.forEach(inputs::remove);
            List<String> outputs = own.stream().filter(wantedLater::contains).toList();
            wantedLater.addAll(inputs);
            segments.add(0, new Segment(List.copyOf(stretches.get(i)), List.copyOf(inputs), outputs));
        }
        return List.copyOf(segments);
    }
}
