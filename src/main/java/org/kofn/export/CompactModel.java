package org.kofn.export;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.TensorSpec;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;
import org.kofn.torch.TorchError;

/**
 * A compact file: every parameter and buffer, and the masks. What is pruned is held as the file has it, and unfolded
 * once somebody asks for {@link #tensors}: the sparse runtime never does. The tensors are on the CPU, belong to this
 * object and not to a {@code PointerScope} of the caller; {@link #close} frees them.
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
    private final Map<String, Tensor> stored;
    private final Map<String, PrunedTensor> pruned;
    private final String recipe;
    private final Map<String, String> extra;
    /** Parameters and buffers whole; null before they were asked for. */
    private Map<String, Tensor> dense;

    /**
     * What a file holds.
     *
     * @param stored by parameter or buffer, in the module's order; the kept values of those that are pruned
     * @param pruned by parameter, in the module's order
     */
    CompactModel(
            Path file,
            Map<String, Tensor> stored,
            Map<String, PrunedTensor> pruned,
            String recipe,
            Map<String, String> extra) {
        this.file = file;
        this.stored = Collections.unmodifiableMap(stored);
        this.pruned = Collections.unmodifiableMap(pruned);
        this.recipe = recipe;
        this.extra = Collections.unmodifiableMap(extra);
    }

    /** The file that was read. */
    Path file() {
        return file;
    }

    /**
     * Parameters and buffers by name, in the module's order; dropped weights are +0.0. The first call unfolds them.
     *
     * @throws KofnException (file) when there is no room for them
     */
    public synchronized Map<String, Tensor> tensors() {
        if (dense == null) {
            Map<String, Tensor> all = new LinkedHashMap<>(stored);
            try (PointerScope scope = new PointerScope()) {
                pruned.forEach((name, layer) -> {
                    if (isFolded(name)) {
                        all.put(name, Tensors.only(() -> layer.layout().unfold(layer.mask(), stored.get(name))));
                    }
                });
                all.values().forEach(Tensors::keep);
            } catch (RuntimeException e) {
                throw KofnException.file(e, "%s: cannot be unfolded: %s", file, TorchError.firstLine(e));
            }
            dense = Collections.unmodifiableMap(all);
        }
        return dense;
    }

    /**
     * Parameters and buffers as the file has them: of those that are pruned, and not kept as a whole, the kept values
     * [G, k, E].
     */
    Map<String, Tensor> stored() {
        return stored;
    }

    /** Whether a parameter's tensor in {@link #stored} is not itself, but its kept values. */
    boolean isFolded(String parameter) {
        PrunedTensor layer = pruned.get(parameter);
        return layer != null && layer.k() < layer.layout().candidates();
    }

    /** Whether the dense tensors were made. */
    synchronized boolean isUnfolded() {
        return dense != null;
    }

    /** The pruned parameters with their masks, in the module's order. */
    public List<PrunedTensor> pruned() {
        return List.copyOf(pruned.values());
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
        Set<String> unknown = new HashSet<>(stored.keySet());
        for (Layer layer : network.layers()) {
            for (TensorSpec spec : layer.tensors()) {
                String name = layer.name() + "." + spec.name();
                Tensor tensor = stored.get(name);
                boolean counts = spec.kind() == TensorSpec.Kind.COUNTER;
                if (tensor == null
                        || !Arrays.equals(shape(name), spec.shape())
                        || !(counts || tensor.is_floating_point())) {
                    throw KofnException.file(
                            "%s: tensor %s: %s, where %s has %s numbers of shape %s",
                            file,
                            name,
                            tensor == null ? "missing" : tensor.scalar_type() + Arrays.toString(shape(name)),
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

    private long[] shape(String name) {
        return isFolded(name) ? pruned.get(name).layout().shape() : Tensors.shape(stored.get(name));
    }

    private static int size(Matcher sizes, int axis) {
        return Integer.parseInt(sizes.group(axis));
    }

    /** Frees tensors and masks. */
    @Override
    public synchronized void close() {
        if (dense != null) {
            dense.values().forEach(Tensor::close);
        }
        stored.values().forEach(Tensor::close);
        pruned.values().forEach(layer -> layer.mask().close());
    }
}
