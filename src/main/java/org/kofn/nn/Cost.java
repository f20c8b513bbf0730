package org.kofn.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a network costs, computed from its layers alone. A MAC is one multiplication with its addition; counted are
 * those of convolutions and linear layers without their biases, as published figures do (ResNet-50: 4.09 G).
 */
public final class Cost {
    private Cost() {}

    /**
     * The cost of one layer.
     *
     * @param layer its name
     * @param type {@code conv2d}, {@code linear}, {@code batchnorm2d} …
     * @param parameters trained numbers: weights and biases, scales and shifts; no running statistics
     * @param macs multiply-accumulates for one image
     * @param output shape of the output for one image
     */
    public record LayerCost(String layer, String type, long parameters, long macs, Shape output) {}

    /** Every layer of the network, in forward order. */
    public static List<LayerCost> of(Network network) {
        Map<String, Shape> shapes = network.shapes();
        List<LayerCost> costs = new ArrayList<>();
        for (Layer layer : network.layers()) {
            Shape output = shapes.get(layer.name());
            long parameters = layer.tensors().stream()
                    .filter(TensorSpec::trained)
                    .mapToLong(TensorSpec::size)
                    .sum();
            costs.add(new LayerCost(layer.name(), layer.type(), parameters, macs(layer, output), output));
        }
        return costs;
    }

    /** Trained numbers of the whole network. */
    public static long parameters(Network network) {
        return of(network).stream().mapToLong(LayerCost::parameters).sum();
    }

    /** Multiply-accumulates of the whole network for one image. */
    public static long macs(Network network) {
        return of(network).stream().mapToLong(LayerCost::macs).sum();
    }

    private static long macs(Layer layer, Shape output) {
        if (layer instanceof Layer.Conv2d || layer instanceof Layer.Linear) {
            // Each weight meets each output pixel once; a vector has one pixel.
            return layer.tensors().get(0).size() * output.height() * output.width();
        }
        return 0;
    }
}
