package org.kofn.export;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.TensorSpec;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;

/**
 * A compact file, unfolded: every parameter and buffer dense again, and the masks. The tensors are on the CPU, belong
 * to this object and not to a {@code PointerScope} of the caller; {@link #close} frees them.
 */
public final class CompactModel implements AutoCloseable {
    static final String MODEL = "model";
    static final String INPUT = "input";
    static final String CLASSES = "classes";
    private static final Pattern SIZES = Pattern.compile("(\\d{1,6})x(\\d{1,6})x(\\d{1,6})");
    private static final Pattern NAME = Pattern.compile("[\\w.-]{1,64}");
    /** Numbers in one image: far beyond what such networks see, and far below what fills a machine's memory. */
    private static final long LARGEST_INPUT = 1 << 26;

    private final Path file;
    private final Map<String, Tensor> tensors;
    private final List<PrunedTensor> pruned;
    private final String recipe;
    private final Map<String, String> extra;

    CompactModel(
            Path file,
            Map<String, Tensor> tensors,
            List<PrunedTensor> pruned,
            String recipe,
            Map<String, String> extra) {
        this.file = file;
        this.tensors = Collections.unmodifiableMap(tensors);
        this.pruned = List.copyOf(pruned);
        this.recipe = recipe;
        this.extra = Collections.unmodifiableMap(extra);
    }

    /** The file that was read. */
    Path file() {
        return file;
    }

    /** Parameters and buffers by name, in the module's order; dropped weights are +0.0. */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** The pruned parameters with their masks, in the module's order. */
    public List<PrunedTensor> pruned() {
        return pruned;
    }

    /** The resolved recipe, as YAML. */
    public String recipe() {
        return recipe;
    }

    /** What else the writer said, such as {@link CompactFile#about} the network. */
    public Map<String, String> extra() {
        return extra;
    }

    /**
     * The network whose tensors these are.
     *
     * @throws KofnException (file) when the metadata do not say which, or it is unknown to this kofn
     */
    public Network network() {
        Matcher input = SIZES.matcher(extra.getOrDefault(INPUT, ""));
        String classes = extra.getOrDefault(CLASSES, "");
        Matcher model = NAME.matcher(extra.getOrDefault(MODEL, ""));
        if (!input.matches() || !classes.matches("[1-9]\\d{0,8}") || !model.matches()) {
            throw KofnException.file("%s: its metadata do not name model, input (as 1x28x28) and classes", file);
        }
        try {
            Shape shape = new Shape(size(input, 1), size(input, 2), size(input, 3));
            if (shape.size() > LARGEST_INPUT) {
                throw KofnException.file("images of %s are beyond what kofn reads", shape);
            }
            return Zoo.build(model.group(), shape, Integer.parseInt(classes));
        } catch (KofnException | IllegalArgumentException | ArithmeticException e) {
            throw KofnException.file(e, "%s: its metadata name no network: %s", file, e.getMessage());
        }
    }

    /**
     * Refuses tensors that are not those of a network, each in its shape.
     *
     * @throws KofnException (file) naming the first that is missing, of another shape or type, or unknown
     */
    void requireTensorsOf(Network network) {
        Set<String> unknown = new HashSet<>(tensors.keySet());
        for (Layer layer : network.layers()) {
            for (TensorSpec spec : layer.tensors()) {
                String name = layer.name() + "." + spec.name();
                Tensor tensor = tensors.get(name);
                boolean counts = spec.kind() == TensorSpec.Kind.COUNTER;
                if (tensor == null
                        || !Arrays.equals(Tensors.shape(tensor), spec.shape())
                        || !(counts || tensor.is_floating_point())) {
                    throw KofnException.file(
                            "%s: tensor %s: %s, where %s has %s numbers of shape %s",
                            file,
                            name,
                            tensor == null ? "missing" : tensor.scalar_type() + Arrays.toString(Tensors.shape(tensor)),
                            network.name(),
                            counts ? "whole" : "floating-point",
                            Arrays.toString(spec.shape()));
                }
                unknown.remove(name);
            }
        }
        if (!unknown.isEmpty()) {
            throw KofnException.file(
                    "%s: tensor %s: %s of this input and classes has none of that name",
                    file, unknown.iterator().next(), network.name());
        }
    }

    private static int size(Matcher sizes, int axis) {
        return Integer.parseInt(sizes.group(axis));
    }

    /** Frees tensors and masks. */
    @Override
    public void close() {
        tensors.values().forEach(Tensor::close);
        pruned.forEach(layer -> layer.mask().close());
    }
}
