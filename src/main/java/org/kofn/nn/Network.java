package org.kofn.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;

/**
 * A model as data: layers in the order they run, each naming its inputs. Whatever exists fits together: names are
 * unique, inputs are defined before their use, shapes agree, every output is used, and the last layer gives one score a
 * class. Back ends therefore need no checks of their own.
 *
 * @param name the model, such as {@code resnet-20}
 * @param input the shape of one image
 * @param classes scores that come out
 * @param init how fresh parameters are drawn
 * @param layers in the order they run; the last one's output is the network's
 */
public record Network(String name, Shape input, int classes, Initialisation init, List<Layer> layers) {
    /** The name by which layers call the network's input. */
    public static final String INPUT = "input";

    /**
     * Checks all of the above.
     *
     * @throws KofnException (usage) naming the network and the layer
     */
    public Network {
        layers = List.copyOf(layers);
        if (layers.isEmpty()) {
            throw KofnException.usage("model %s: has no layers", name);
        }
        Map<String, Shape> shapes = start(input);
        for (Layer layer : layers) {
            shapes.put(layer.name(), outputOf(name, layer, shapes));
        }
        requireVectors(name, layers);
        requireUsed(name, layers);
        Layer last = layers.get(layers.size() - 1);
        Shape scores = shapes.get(last.name());
        if (!scores.equals(Shape.features(classes))) {
            throw KofnException.usage(
                    "model %s: layer %s: is the last and gives %s, where %d class scores are wanted",
                    name, last.name(), scores, classes);
        }
    }

    /**
     * The weight of a convolution or linear layer: what can be pruned.
     *
     * @param layer such as {@code layer1.0.conv1}
     * @param parameter such as {@code layer1.0.conv1.weight}
     * @param type {@code conv2d} or {@code linear}
     * @param shape [out, in / groups, height, width] or [out, in]
     */
    public record Weight(String layer, String parameter, String type, long[] shape) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Weight that
                    && parameter.equals(that.parameter)
                    && type.equals(that.type)
                    && Arrays.equals(shape, that.shape);
        }

        @Override
        public int hashCode() {
            return 31 * parameter.hashCode() + Arrays.hashCode(shape);
        }

        @Override
        public String toString() {
            return parameter + Arrays.toString(shape);
        }
    }

    /**
     * The layer of that name.
     *
     * @throws KofnException (usage) when there is none, with the nearest name
     */
    public Layer layer(String layer) {
        return layers.stream()
                .filter(candidate -> candidate.name().equals(layer))
                .findFirst()
                .orElseThrow(() -> KofnException.usage(
                        "model %s has no layer '%s'%s",
                        name,
                        layer,
                        Suggest.hint(layer, layers.stream().map(Layer::name).toList())));
    }

    /** The weights of all convolution and linear layers, in forward order. */
    public List<Weight> weights() {
        List<Weight> weights = new ArrayList<>();
        for (Layer layer : layers) {
            if (layer instanceof Layer.Conv2d || layer instanceof Layer.Linear) {
                long[] shape = layer.tensors().get(0).shape();
                weights.add(new Weight(layer.name(), layer.name() + ".weight", layer.type(), shape));
            }
        }
        return weights;
    }

    /** The output shape of every layer, in forward order, {@link #INPUT} first. */
    public Map<String, Shape> shapes() {
        Map<String, Shape> shapes = start(input);
        for (Layer layer : layers) {
            shapes.put(layer.name(), outputOf(name, layer, shapes));
        }
        return shapes;
    }

    /** A map that knows the input's shape only. */
    static Map<String, Shape> start(Shape input) {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        shapes.put(INPUT, input);
        return shapes;
    }

    /** The output shape of the next layer, given the shapes before it; errors name the network too. */
    static Shape outputOf(String network, Layer layer, Map<String, Shape> known) {
        if (known.containsKey(layer.name())) {
            throw KofnException.usage("model %s: layer %s: this name is used twice", network, layer.name());
        }
        List<Shape> inputs = new ArrayList<>();
        for (String input : layer.inputs()) {
            Shape shape = known.get(input);
            if (shape == null) {
                throw KofnException.usage(
                        "model %s: layer %s: its input '%s' is no earlier layer%s",
                        network, layer.name(), input, Suggest.hint(input, known.keySet()));
            }
            inputs.add(shape);
        }
        try {
            return layer.output(inputs);
        } catch (KofnException e) {
            throw KofnException.usage("model %s, images of %s: %s", network, known.get(INPUT), e.getMessage());
        }
    }

    /**
     * An image of one pixel and a vector have the same {@link Shape}, but not the same number of axes: refuses a layer
     * that takes the one and gets the other.
     */
    private static void requireVectors(String network, List<Layer> layers) {
        Set<String> vectors = new HashSet<>();
        for (Layer layer : layers) {
            long count = layer.inputs().stream().filter(vectors::contains).count();
            boolean all = count == layer.inputs().size();
            boolean image = layer instanceof Layer.Conv2d
                    || layer instanceof Layer.MaxPool2d
                    || layer instanceof Layer.AvgPool2d
                    || layer instanceof Layer.AdaptiveAvgPool2d;
            if (image && count > 0 || count > 0 && !all) {
                throw KofnException.usage(
                        "model %s: layer %s: takes images, gets a vector; it belongs before the flattening",
                        network, layer.name());
            }
            if (layer instanceof Layer.Linear && !all) {
                throw KofnException.usage(
                        "model %s: layer %s: takes a vector, gets images; put a flatten layer before it",
                        network, layer.name());
            }
            if (all || layer instanceof Layer.Flatten) {
                vectors.add(layer.name());
            }
        }
    }

    private static void requireUsed(String network, List<Layer> layers) {
        Set<String> used = new HashSet<>();
        layers.forEach(layer -> used.addAll(layer.inputs()));
        for (Layer layer : layers.subList(0, layers.size() - 1)) {
            if (!used.contains(layer.name())) {
                throw KofnException.usage("model %s: layer %s: no layer takes its output", network, layer.name());
            }
        }
    }
}
