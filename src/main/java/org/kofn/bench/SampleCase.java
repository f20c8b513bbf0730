package org.kofn.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.regex.Pattern;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.Keep;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;

/**
 * Layers whose masks are sampled together in one measurement.
 *
 * @param name such as {@code resnet-18/kernel}
 * @param layers in network order
 */
public record SampleCase(String name, List<Layer> layers) {
    /**
     * Shapes that stand for much: a convolution of ResNet-18's last stage, and the same with 2:4; an eighth of the
     * neurons of VGG16's first linear layer, whose groups are the longest there are; and next to nothing, where the
     * cost of a call shows.
     */
    public static final List<String> SHAPES = List.of("512x512x9", "512x512x3x3/2:4", "512x25088x1", "64x64x1");

    private static final Pattern SIZES = Pattern.compile("[1-9]\\d{0,8}([x×][1-9]\\d{0,8})+");

    /** Weights of the largest single shape; each takes some 50 bytes while it is measured. */
    private static final long LARGEST = 1L << 28;

    /**
     * One layer.
     *
     * @param layer its name
     * @param layout groups, candidates, elements
     * @param k the candidates that stay in every group
     */
    public record Layer(String layer, MaskLayout layout, long k) {
        /** N = G·n. */
        long candidates() {
            return layout.groups() * layout.candidates();
        }

        /** N·E. */
        long weights() {
            return candidates() * layout.elements();
        }
    }

    /** Copies the list. */
    public SampleCase {
        layers = List.copyOf(layers);
    }

    /**
     * All convolution and linear layers of a network; empty when no layer has this unit, so that the case would be that
     * of single weights.
     *
     * @throws KofnException (usage) for an unknown network, with the nearest; for a budget that does not fit a layer
     */
    public static Optional<SampleCase> ofNetwork(String network, Unit unit, Keep keep) {
        List<Layer> layers = new ArrayList<>();
        boolean any = false;
        for (Network.Weight weight : ZooInput.network(network).weights()) {
            Unit fitting = unit.fitting(weight.shape());
            any |= fitting.granularity() == unit.granularity();
            MaskLayout layout = fitting.layout(weight.layer(), weight.shape());
            layers.add(new Layer(weight.layer(), layout, fitting.kept(weight.layer(), layout, keep)));
        }
        return any ? Optional.of(new SampleCase(network + "/" + unit.label(), layers)) : Optional.empty();
    }

    /**
     * A single layer: {@code 512x512x9}, that is groups, candidates and elements; or a weight's shape and a unit, as in
     * {@code 512x512x3x3/2:4}.
     *
     * @throws KofnException (usage) when it is neither
     */
    public static SampleCase ofShape(String text, Keep keep) {
        String[] parts = text.split("/", 2);
        long[] sizes = sizes(text, parts[0]);
        Unit unit;
        if (parts.length == 2) {
            unit = Unit.parse("--shapes", parts[1]);
        } else if (sizes.length != 3) {
            throw refused(text);
        } else if (sizes[2] == 1) {
            unit = new Unit(Granularity.WEIGHT, null);
            sizes = Arrays.copyOf(sizes, 2);
        } else {
            unit = new Unit(Granularity.KERNEL, null);
            sizes = new long[] {sizes[0], sizes[1], sizes[2], 1};
        }
        MaskLayout layout = unit.layout(text, sizes);
        return new SampleCase(text, List.of(new Layer(text, layout, unit.kept(text, layout, keep))));
    }

    private static long[] sizes(String text, String product) {
        if (!SIZES.matcher(product).matches()) {
            throw refused(text);
        }
        long[] sizes =
                Arrays.stream(product.split("[x×]")).mapToLong(Long::parseLong).toArray();
        double weights = Arrays.stream(sizes).asDoubleStream().reduce(1, (a, b) -> a * b);
        if (weights > LARGEST) {
            throw KofnException.usage(
                    "--shapes: %s has more than %d million weights; take fewer groups", text, LARGEST / 1_000_000);
        }
        return sizes;
    }

    private static KofnException refused(String text) {
        return KofnException.usage(
                "--shapes: '%s' is no shape; write groups, candidates and elements as in 512x512x9, or a weight's shape"
                        + " and a granularity as in 512x512x3x3/2:4",
                text);
    }

    /** Candidates of all layers. */
    public long candidates() {
        return layers.stream().mapToLong(Layer::candidates).sum();
    }

    /** Weights of all layers. */
    public long weights() {
        return layers.stream().mapToLong(Layer::weights).sum();
    }

    /**
     * The bytes that sampling cannot do without moving: φ, W and Weff in fp32; the mask as bytes, as bits and as
     * indices. This and the next are the floor of {@code cuda/gumbel_topk/gumbel_topk.h}.
     */
    public double forwardBytes() {
        return total(layer -> 4.0 * layer.candidates()
                + 8.0 * layer.weights()
                + layer.candidates()
                + layer.candidates() / 8.0
                + indexBytes(layer));
    }

    /** The same of the backward: φ, W, ∂L/∂Weff, ∂L/∂φ and indices. ∂L/∂W, when dense, is ∂L/∂Weff itself. */
    public double backwardBytes() {
        return total(layer -> 8.0 * layer.candidates() + 8.0 * layer.weights() + indexBytes(layer));
    }

    private double total(ToDoubleFunction<Layer> bytes) {
        return layers.stream().mapToDouble(bytes).sum();
    }

    private static double indexBytes(Layer layer) {
        return 4.0 * layer.layout().groups() * layer.k();
    }
}
