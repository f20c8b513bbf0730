package org.kofn.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.kofn.nn.Layer.Activation;

/**
 * Writes a {@link Network} down as one reads it: each call appends a layer to the last one and takes its channels from
 * there. {@link #from} goes back to an earlier layer, for branches.
 */
final class NetworkBuilder {
    private final String name;
    private final Shape input;
    private final int classes;
    private final Initialisation init;
    private final List<Layer> layers = new ArrayList<>();
    private final Map<String, Shape> shapes;
    private String at = Network.INPUT;

    /** Starts at the network's input. */
    NetworkBuilder(String name, Shape input, int classes, Initialisation init) {
        this.name = name;
        this.input = input;
        this.classes = classes;
        this.init = init;
        this.shapes = Network.start(input);
    }

    /** The last layer. */
    String at() {
        return at;
    }

    /** The shape of the last layer's output. */
    Shape shape() {
        return shapes.get(at);
    }

    /** Continues after an earlier layer. */
    NetworkBuilder from(String layer) {
        at = layer;
        return this;
    }

    /** A square convolution without bias. */
    NetworkBuilder conv(String layer, int out, int kernel, int stride, int padding) {
        return append(
                new Layer.Conv2d(layer, at, shape().channels(), out, Window.square(kernel, stride, padding), 1, false));
    }

    /** A square convolution with bias. */
    NetworkBuilder convBias(String layer, int out, int kernel, int stride, int padding) {
        return append(
                new Layer.Conv2d(layer, at, shape().channels(), out, Window.square(kernel, stride, padding), 1, true));
    }

    /** A linear layer with bias. */
    NetworkBuilder linearBias(String layer, int out) {
        return append(new Layer.Linear(layer, at, Math.toIntExact(shape().size()), out, true));
    }

    /** A linear layer without bias. */
    NetworkBuilder linear(String layer, int out) {
        return append(new Layer.Linear(layer, at, Math.toIntExact(shape().size()), out, false));
    }

    /** A batch norm with PyTorch's defaults. */
    NetworkBuilder batchNorm(String layer) {
        return append(new Layer.BatchNorm2d(layer, at, shape().channels()));
    }

    /** A rectifier. */
    NetworkBuilder relu(String layer) {
        return append(new Activation(layer, at, Activation.Kind.RELU));
    }

    /** The largest value of each square window. */
    NetworkBuilder maxPool(String layer, int size, int stride, int padding) {
        return append(new Layer.MaxPool2d(layer, at, Window.square(size, stride, padding)));
    }

    /** The mean of each feature map, as an image of one pixel. */
    NetworkBuilder globalAverage(String layer) {
        return append(new Layer.AdaptiveAvgPool2d(layer, at, 1, 1));
    }

    /** The sum with another layer's output. */
    NetworkBuilder add(String layer, String other) {
        return append(new Layer.Add(layer, List.of(at, other)));
    }

    /** Images as vectors. */
    NetworkBuilder flatten(String layer) {
        return append(new Layer.Flatten(layer, at));
    }

    /** The network, checked as a whole. */
    Network build() {
        return new Network(name, input, classes, init, layers);
    }

    private NetworkBuilder append(Layer layer) {
        shapes.put(layer.name(), Network.outputOf(name, layer, shapes));
        layers.add(layer);
        at = layer.name();
        return this;
    }
}
