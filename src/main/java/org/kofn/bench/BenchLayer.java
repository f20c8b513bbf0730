package org.kofn.bench;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kofn.base.KofnException;
import org.kofn.export.CompactFile;
import org.kofn.export.CompactModel;
import org.kofn.export.RunFolder;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.nn.Zoo;
import org.kofn.runtime.LayerShape;
import org.kofn.runtime.SparseLayer;

/**
 * A layer that is measured by itself.
 *
 * @param network such as {@code resnet-18@224}; {@code linear} for a single shape
 * @param layer its name, the first one of those with this shape
 * @param times how often the network has a layer of this shape
 * @param shape what is measured
 */
public record BenchLayer(String network, String layer, int times, LayerShape shape) {
    private static final Pattern SIZED = Pattern.compile("(.+)@([1-9]\\d{0,3})");
    private static final Pattern SHAPE = Pattern.compile("([1-9]\\d{0,5})[x×]([1-9]\\d{0,5})");

    /** Larger images are those of ImageNet, with as many classes. */
    private static final int SMALL = 64;

    /** Which layers of a network are meant. */
    public enum Kind {
        /** Convolutions. */
        CONV,
        /** Linear layers. */
        LINEAR,
        /** Both. */
        ALL;

        private boolean has(Layer layer) {
            return layer instanceof Layer.Conv2d conv
                    ? this != LINEAR && conv.groups() == 1
                    : this != CONV && layer instanceof Layer.Linear;
        }
    }

    /**
     * The layers of a network, those of one shape once, in forward order. Layers whose number of outputs {@code share}
     * does not divide are left out.
     *
     * @param text a name of the zoo, for images of the size that it is best known at, or such as {@code vgg16-bn@224}
     * @throws KofnException (usage) for an unknown network, with the nearest, or images that are too small for it
     */
    public static List<BenchLayer> of(String text, Kind kind, int share) {
        Matcher sized = SIZED.matcher(text);
        Network network = ZooInput.network(sized.matches() ? sized.group(1) : text);
        if (sized.matches()) {
            int size = Integer.parseInt(sized.group(2));
            Shape image = new Shape(network.input().channels(), size, size);
            network = Zoo.build(network.name(), image, size > SMALL ? 1000 : 10);
        }
        return of(text, network, kind, layer -> share);
    }

    /** The layers of a run's network, with the shares of its masks. */
    static List<BenchLayer> ofRun(Path folder) {
        RunFolder run = RunFolder.open(folder);
        try (CompactModel model = CompactFile.read(run.require(run.modelSafetensors()))) {
            Map<String, Integer> shares = new HashMap<>();
            model.pruned()
                    .forEach(pruned ->
                            shares.put(pruned.parameter(), pruned.layout().share()));
            return of(folder.toString(), model.network(), Kind.ALL, layer -> shares.getOrDefault(layer + ".weight", 1));
        }
    }

    private static List<BenchLayer> of(String name, Network network, Kind kind, ToIntFunction<String> shares) {
        Map<String, Shape> shapes = network.shapes();
        Map<LayerShape, BenchLayer> layers = new LinkedHashMap<>();
        for (Layer layer : network.layers()) {
            Shape input = shapes.get(layer.inputs().get(0));
            int outputs = shapes.get(layer.name()).channels();
            int share = shares.applyAsInt(layer.name());
            if (kind.has(layer) && outputs % share == 0) {
                Window window = layer instanceof Layer.Conv2d conv ? conv.window() : null;
                LayerShape shape = LayerShape.of(input, outputs, window, share);
                layers.merge(
                        shape,
                        new BenchLayer(name, layer.name(), 1, shape),
                        (first, again) -> new BenchLayer(name, first.layer(), first.times() + 1, shape));
            }
        }
        return layers.values().stream()
                .filter(layer -> SparseLayer.computes(layer.shape()))
                .toList();
    }

    /**
     * A linear layer alone; nothing where {@code share} does not divide its outputs.
     *
     * @param text inputs and outputs, such as {@code 25088x4096}
     * @throws KofnException (usage) for anything else
     */
    public static Optional<BenchLayer> linear(String text, int share) {
        Matcher matcher = SHAPE.matcher(text);
        if (!matcher.matches()) {
            throw KofnException.usage(
                    "--shapes: '%s' is no linear layer; write inputs and outputs as in 512x1000", text);
        }
        int outputs = Integer.parseInt(matcher.group(2));
        Shape input = Shape.features(Integer.parseInt(matcher.group(1)));
        return outputs % share == 0
                ? Optional.of(new BenchLayer("linear", text, 1, LayerShape.of(input, outputs, null, share)))
                : Optional.empty();
    }

    /** The name in results, such as {@code resnet-18@224/layer1.0.conv1}. */
    public String name() {
        return network + "/" + layer;
    }
}
