package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.kofn.mask.Granularity;
import org.kofn.nn.Initialisation;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;

/** Small networks with branches, sums, concatenations and everything else, pruned at random. */
final class RandomNetworks {
    private final Random random;
    private final List<Layer> layers = new ArrayList<>();
    private final Map<String, Shape> shapes = new HashMap<>();
    private final List<String> values = new ArrayList<>(List.of(Network.INPUT));

    private RandomNetworks(Random random) {
        this.random = random;
    }

    /** A network of about so many layers. */
    static Network of(Random random, int layers) {
        return new RandomNetworks(random).network(layers);
    }

    /** The same with random weights, each layer pruned or not. */
    static Trained trained(Random random, int layers) {
        Network network = of(random, layers);
        Trained trained = new Trained(network, random.nextInt(1000));
        for (Network.Weight weight : network.weights()) {
            long outputs = weight.shape()[0];
            long inputs = weight.shape()[1];
            int share = outputs % 2 == 0 && random.nextBoolean() ? 2 : 1;
            switch (random.nextInt(5)) {
                case 0 -> trained.prune(weight.layer(), Granularity.FILTER, 1, 1 + random.nextInt((int) outputs));
                case 1 -> trained.prune(weight.layer(), Granularity.WEIGHT, share, 1 + random.nextInt((int) inputs));
                case 2, 3 -> {
                    boolean conv = weight.shape().length == 4;
                    Granularity kind = conv ? Granularity.KERNEL : Granularity.WEIGHT;
                    trained.prune(weight.layer(), kind, share, 1 + random.nextInt((int) inputs));
                }
                default -> {}
            }
        }
        return trained;
    }

    private Network network(int count) {
        Shape input = new Shape(1 + random.nextInt(4), 4 + random.nextInt(6), 4 + random.nextInt(6));
        shapes.put(Network.INPUT, input);
        for (int i = 0; i < count; i++) {
            append(layer("l" + i));
        }
        Set<String> used = new HashSet<>();
        layers.forEach(layer -> used.addAll(layer.inputs()));
        List<String> ends = new ArrayList<>();
        for (String value : values) {
            if (!used.contains(value)) {
                append(new Layer.AdaptiveAvgPool2d("end." + value, value, 2, 1));
                ends.add("end." + value);
            }
        }
        String all = ends.get(0);
        if (ends.size() > 1) {
            append(new Layer.Concat("all", ends));
            all = "all";
        }
        append(new Layer.Flatten("flatten", all));
        int features = shapes.get("flatten").channels();
        append(new Layer.Linear("fc1", "flatten", features, 6, random.nextBoolean()));
        append(new Layer.BatchNorm2d("bn", "fc1", 6));
        append(new Layer.Activation("relu", "bn", Layer.Activation.Kind.RELU));
        append(new Layer.Linear("fc2", "relu", 6, 5, true));
        return new Network("random", input, 5, Initialisation.PYTORCH, layers);
    }

    private void append(Layer layer) {
        layers.add(layer);
        shapes.put(
                layer.name(),
                layer.output(layer.inputs().stream().map(shapes::get).toList()));
        if (layer.name().startsWith("l")) {
            values.add(layer.name());
        }
    }

    private Layer layer(String name) {
        // Mostly the last value, so that networks are deep, and values have several readers now and then.
        String input = random.nextInt(4) > 0 ? values.get(values.size() - 1) : any(values);
        Shape shape = shapes.get(input);
        Layer.Activation.Kind[] kinds = Layer.Activation.Kind.values();
        return switch (random.nextInt(12)) {
            case 0, 1, 2, 3 -> conv(name, input, shape);
            case 4, 5 -> new Layer.BatchNorm2d(name, input, shape.channels());
            case 6 -> new Layer.Activation(name, input, Layer.Activation.Kind.RELU);
            case 7 -> new Layer.Activation(name, input, kinds[random.nextInt(kinds.length)]);
            case 8 -> pool(name, input, shape);
            case 9 -> new Layer.Add(name, List.of(input, any(like(shape, true))));
            case 10 -> new Layer.Concat(name, List.of(any(like(shape, false)), input));
            default -> new Layer.Dropout(name, input, 0.5);
        };
    }

    private Layer conv(String name, String input, Shape shape) {
        Window window = window(shape, random.nextInt(3));
        boolean grouped = shape.channels() % 2 == 0 && random.nextInt(6) == 0;
        int out = 2 * (1 + random.nextInt(4));
        return new Layer.Conv2d(name, input, shape.channels(), out, window, grouped ? 2 : 1, random.nextBoolean());
    }

    private Layer pool(String name, String input, Shape shape) {
        Window window = window(shape, 0);
        int padding = random.nextInt(2) * (Math.min(window.height(), window.width()) / 2);
        Window padded = new Window(window.height(), window.width(), 1, 2, padding, padding, 1, 1);
        return random.nextBoolean()
                ? new Layer.MaxPool2d(name, input, padded)
                : new Layer.AvgPool2d(name, input, padded);
    }

    private Window window(Shape shape, int padding) {
        int height = 1 + random.nextInt(Math.min(3, shape.height()));
        int width = 1 + random.nextInt(Math.min(3, shape.width()));
        int dilation = (height - 1) * 2 < shape.height() && (width - 1) * 2 < shape.width() ? 1 + random.nextInt(2) : 1;
        return new Window(
                height, width, 1 + random.nextInt(2), 1, padding, random.nextInt(2) * padding, dilation, dilation);
    }

    /** Values of the same height and width, and number of channels. */
    private List<String> like(Shape shape, boolean channels) {
        return values.stream()
                .filter(value -> shapes.get(value).height() == shape.height()
                        && shapes.get(value).width() == shape.width()
                        && (!channels || shapes.get(value).channels() == shape.channels()))
                .toList();
    }

    private String any(List<String> from) {
        return from.get(random.nextInt(from.size()));
    }
}
