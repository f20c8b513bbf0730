package org.kofn.export;

import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Zoo;

/**
 * A compact file, unfolded: every parameter and buffer dense again, and the masks. The tensors are on the CPU, belong
 * to this object and not to a {@code PointerScope} of the caller; {@link #close} frees them.
 */
public final class CompactModel implements AutoCloseable {
    static final String MODEL = "model";
    static final String INPUT = "input";
    static final String CLASSES = "classes";
    private static final Pattern SIZES = Pattern.compile("(\\d{1,6})x(\\d{1,6})x(\\d{1,6})");

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
        if (!input.matches() || !classes.matches("[1-9]\\d{0,8}") || !extra.containsKey(MODEL)) {
            throw KofnException.file("%s: its metadata do not name model, input (as 1x28x28) and classes", file);
        }
        try {
            Shape shape = new Shape(size(input, 1), size(input, 2), size(input, 3));
            return Zoo.build(extra.get(MODEL), shape, Integer.parseInt(classes));
        } catch (KofnException | IllegalArgumentException e) {
            throw KofnException.file(e, "%s: its metadata name no network: %s", file, e.getMessage());
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
