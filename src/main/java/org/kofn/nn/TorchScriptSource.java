package org.kofn.nn;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The Python that a {@link Network} becomes: a {@code forward} for every layer that holds tensors, and one for the
 * whole network, which calls them, a line a layer. It is what one reads in the saved file.
 */
final class TorchScriptSource {
    private static final Pattern IDENTIFIER = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
    /** Python's keywords, and what the source uses itself. */
    private static final Set<String> RESERVED = Set.of(("and as assert async await break class continue def del elif"
                    + " else except False finally for from global if import in is lambda None nonlocal not or pass raise return"
                    + " True try while with yield self torch " + Network.INPUT)
            .split(" "));

    private static final String HEAD = "def forward(self, input: Tensor) -> Tensor:\n";

    private TorchScriptSource() {}

    /**
     * The network's {@code forward}.
     *
     * @param dtype of convolutions and linear layers: images are cast to it, and scores back to float32
     */
    static String of(Network network, ScalarType dtype) {
        Map<String, String> variables = variables(network);
        StringBuilder source = new StringBuilder(HEAD);
        boolean cast = dtype != ScalarType.Float;
        if (cast) {
            line(source, "%s = torch.to(%s, %d)", Network.INPUT, Network.INPUT, dtype.value);
        }
        lines(source, network.layers(), variables);
        String last =
                variables.get(network.layers().get(network.layers().size() - 1).name());
        line(source, cast ? "return torch.to(%s, %d)" : "return %s", last, ScalarType.Float.value);
        return source.toString();
    }

    /**
     * A method that runs a segment of the network.
     *
     * @param name of the method
     */
    static String of(String name, Segment segment, Network network) {
        Map<String, String> variables = variables(network);
        String parameters = segment.inputs().stream()
                .map(input -> ", " + variables.get(input) + ": Tensor")
                .collect(Collectors.joining());
        StringBuilder source = new StringBuilder("def " + name + "(self" + parameters + ") -> List[Tensor]:\n");
        lines(source, segment.layers(), variables);
        line(
                source,
                "return [%s]",
                segment.outputs().stream().map(variables::get).collect(Collectors.joining(", ")));
        return source.toString();
    }

    /** A line for every layer. */
    private static void lines(StringBuilder source, List<Layer> layers, Map<String, String> variables) {
        for (Layer layer : layers) {
            List<String> inputs = layer.inputs().stream().map(variables::get).toList();
            String expression = layer.tensors().isEmpty()
                    ? function(layer, inputs)
                    : path(layer.name()) + ".forward(" + inputs.get(0) + ")";
            line(source, "%s = %s", variables.get(layer.name()), expression);
        }
    }

    /** The {@code forward} of a layer that holds tensors. */
    static String of(Layer layer) {
        StringBuilder source = new StringBuilder(HEAD);
        if (layer instanceof Layer.Conv2d conv) {
            Window w = conv.window();
            line(
                    source,
                    "return torch.conv2d(input, self.weight, %s, [%d, %d], [%d, %d], [%d, %d], %d)",
                    conv.bias() ? "self.bias" : "None",
                    w.strideHeight(),
                    w.strideWidth(),
                    w.padHeight(),
                    w.padWidth(),
                    w.dilationHeight(),
                    w.dilationWidth(),
                    conv.groups());
        } else if (layer instanceof Layer.Linear linear) {
            line(source, "return torch.linear(input, self.weight, %s)", linear.bias() ? "self.bias" : "None");
        } else if (layer instanceof Layer.BatchNorm2d norm) {
            line(source, "if self.training:");
            line(source, "    self.num_batches_tracked.add_(1)");
            line(
                    source,
                    "return torch.batch_norm(input, self.weight, self.bias, self.running_mean, self.running_var,"
                            + " self.training, %s, %s, True)",
                    norm.momentum(),
                    norm.epsilon());
        } else {
            throw new IllegalArgumentException(layer.type() + " holds no tensors");
        }
        return source.toString();
    }

    private static String function(Layer layer, List<String> inputs) {
        String x = inputs.get(0);
        if (layer instanceof Layer.Activation activation) {
            String arguments =
                    activation.arguments().stream().map(a -> ", " + a).collect(Collectors.joining());
            return String.format("torch.%s(%s%s)", activation.kind().operator(), x, arguments);
        } else if (layer instanceof Layer.MaxPool2d pool) {
            Window w = pool.window();
            return String.format(
                    "torch.max_pool2d(%s, %s, [%d, %d])", x, sizes(w), w.dilationHeight(), w.dilationWidth());
        } else if (layer instanceof Layer.AvgPool2d pool) {
            return String.format("torch.avg_pool2d(%s, %s)", x, sizes(pool.window()));
        } else if (layer instanceof Layer.AdaptiveAvgPool2d pool) {
            return String.format("torch.adaptive_avg_pool2d(%s, [%d, %d])", x, pool.height(), pool.width());
        } else if (layer instanceof Layer.Add) {
            return String.join(" + ", inputs);
        } else if (layer instanceof Layer.Concat) {
            return String.format("torch.cat([%s], 1)", String.join(", ", inputs));
        } else if (layer instanceof Layer.Flatten) {
            return String.format("torch.flatten(%s, 1)", x);
        } else if (layer instanceof Layer.Dropout dropout) {
            return String.format("torch.dropout(%s, %s, self.training)", x, dropout.probability());
        }
        throw new IllegalArgumentException("no TorchScript for " + layer.type());
    }

    private static String sizes(Window w) {
        return String.format(
                "[%d, %d], [%d, %d], [%d, %d]",
                w.height(), w.width(), w.strideHeight(), w.strideWidth(), w.padHeight(), w.padWidth());
    }

    /** How Python reaches a module: {@code self.conv1}, {@code getattr(self.layer1, "0").conv1}. */
    private static String path(String layer) {
        String path = "self";
        for (String part : layer.split("\\.")) {
            boolean plain = IDENTIFIER.matcher(part).matches() && !RESERVED.contains(part);
            path = plain ? path + "." + part : "getattr(" + path + ", \"" + part + "\")";
        }
        return path;
    }

    /** A local variable for every layer: its name with underscores for dots. */
    private static Map<String, String> variables(Network network) {
        Map<String, String> variables = new LinkedHashMap<>();
        variables.put(Network.INPUT, Network.INPUT);
        Set<String> used = new HashSet<>(RESERVED);
        for (Layer layer : network.layers()) {
            variables.put(layer.name(), unique(identifier(layer.name()), used));
        }
        return variables;
    }

    /** A name with what Python does not allow replaced by underscores. */
    static String identifier(String name) {
        String plain = name.replaceAll("[^A-Za-z0-9_]", "_");
        return Character.isDigit(plain.charAt(0)) ? "_" + plain : plain;
    }

    /** The name, with an underscore appended until it is new; remembered in {@code used}. */
    static String unique(String name, Set<String> used) {
        String candidate = name;
        while (!used.add(candidate)) {
            candidate += "_";
        }
        return candidate;
    }

    private static void line(StringBuilder source, String format, Object... args) {
        source.append("    ").append(String.format(format, args)).append('\n');
    }
}
