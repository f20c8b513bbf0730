package org.kofn.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.kofn.base.KofnException;

/** What layers demand of their own values and of their inputs, in one voice: every message begins with the layer. */
final class Check {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*");
    /** Attributes that a TorchScript module has already, or that hold a layer's tensors. */
    private static final Set<String> TAKEN = Set.of(
            "weight", "bias", "running_mean", "running_var", "num_batches_tracked", "training", "forward", "self");

    private Check() {}

    /** Throws a usage error that begins with the layer unless the condition holds. */
    static void that(boolean holds, String layer, String message, Object... args) {
        if (!holds) {
            throw KofnException.usage("layer %s: %s", layer, String.format(message, args));
        }
    }

    /** Refuses names that could not be a module path in TorchScript. */
    static void name(String name) {
        that(NAME.matcher(name).matches(), "'" + name + "'", "a name is letters, digits, _ and dots between them");
        that(!name.equals(Network.INPUT), name, "this name is the network's input");
        for (String part : name.split("\\.")) {
            that(!TAKEN.contains(part), name, "'%s' is a name that modules use themselves", part);
        }
    }

    /** Refuses an input with another number of channels. */
    static void channels(String layer, int expected, Shape input) {
        that(input.channels() == expected, layer, "takes %d channels, gets %s", expected, input);
    }

    /** {@link Window#slideOver} with the layer in its errors. */
    static Shape slide(String layer, Window window, Shape image, int channels) {
        try {
            return window.slideOver(image, channels);
        } catch (KofnException e) {
            throw KofnException.usage("layer %s: %s", layer, e.getMessage());
        }
    }

    /** Refuses padding that would put whole windows outside the image. */
    static void pooling(String layer, Window window) {
        that(
                2 * window.padHeight() <= window.height() && 2 * window.padWidth() <= window.width(),
                layer,
                "pads more than half of its %s window",
                window);
    }

    /** A weight of that shape, and a bias an output where wanted. */
    static List<TensorSpec> weightAndBias(long[] shape, boolean bias) {
        List<TensorSpec> specs = new ArrayList<>();
        specs.add(new TensorSpec("weight", shape, TensorSpec.Kind.WEIGHT));
        if (bias) {
            specs.add(new TensorSpec("bias", new long[] {shape[0]}, TensorSpec.Kind.WEIGHT));
        }
        return List.copyOf(specs);
    }
}
