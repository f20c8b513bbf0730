package org.kofn.export.onnx;

import static org.kofn.export.onnx.OnnxGraph.attribute;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.AtomicFile;
import org.kofn.base.KofnException;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.TensorSpec;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/**
 * Writes a network as ONNX, as it computes in evaluation mode, in fp32. Parameters and statistics keep their names;
 * values have those of the layers that compute them, the input is {@link Network#INPUT}; the batch may have any size.
 * Dropouts, which do nothing in inference, and the counters of batch norms are left out.
 */
public final class OnnxExport {
    /** Protocol buffers end at 2 GiB; a MiB of them is for all that is no weight. */
    private static final long LARGEST = (1L << 31) - (1L << 20);

    private final Network network;
    private final Map<String, Tensor> tensors;
    private final Map<String, Shape> shapes;
    private final OnnxGraph graph;
    /** Where a layer's value is found: under its own name, but for dropouts under their input's. */
    private final Map<String, String> values = new HashMap<>(Map.of(Network.INPUT, Network.INPUT));

    private OnnxExport(Network network, Map<String, Tensor> tensors) {
        this.network = network;
        this.tensors = tensors;
        this.shapes = network.shapes();
        this.graph = new OnnxGraph(network.name());
    }

    /**
     * Writes a file, whole or not at all.
     *
     * @param tensors parameters and buffers by name, of any floating type, on any device, dropped weights zero
     * @param metadata texts that go into the file
     * @throws KofnException (usage) when a layer has no form in ONNX, naming it, or the weights are more than a file
     *     can hold; (file) when a tensor is missing, or the file cannot be written
     */
    public static void write(Path file, Network network, Map<String, Tensor> tensors, Map<String, String> metadata) {
        requireSmall(network);
        Message model = new OnnxExport(network, tensors).graph().model(metadata);
        AtomicFile.write(file, model::writeTo);
    }

    private static void requireSmall(Network network) {
        long bytes = Float.BYTES
                * network.layers().stream()
                        .flatMap(layer -> layer.tensors().stream())
                        .mapToLong(TensorSpec::size)
                        .sum();
        if (bytes > LARGEST) {
            throw KofnException.usage(
                    "model %s: its weights take %,d MB in fp32, and an ONNX file holds %,d MB at most",
                    network.name(), bytes / 1_000_000, LARGEST / 1_000_000);
        }
    }

    private OnnxGraph graph() {
        graph.input(Network.INPUT, network.input());
        for (Layer layer : network.layers()) {
            List<String> inputs = layer.inputs().stream().map(values::get).toList();
            if (layer instanceof Layer.Dropout) {
                values.put(layer.name(), inputs.get(0));
            } else {
                values.put(layer.name(), layer.name());
                layer(layer, inputs);
            }
        }
        Layer last = network.layers().get(network.layers().size() - 1);
        graph.output(values.get(last.name()), network.classes());
        return graph;
    }

    private void layer(Layer layer, List<String> inputs) {
        String name = layer.name();
        if (layer instanceof Layer.Conv2d conv) {
            graph.node(
                    "Conv",
                    name,
                    withTensors(layer, inputs),
                    attributes(conv.window(), attribute("group", conv.groups()), dilations(conv.window())));
        } else if (layer instanceof Layer.Linear) {
            graph.node("Gemm", name, withTensors(layer, inputs), attribute("transB", 1));
        } else if (layer instanceof Layer.BatchNorm2d norm) {
            graph.node("BatchNormalization", name, withTensors(layer, inputs), attribute("epsilon", norm.epsilon()));
        } else if (layer instanceof Layer.Activation activation) {
            activation(activation, inputs.get(0));
        } else if (layer instanceof Layer.MaxPool2d pool) {
            graph.node("MaxPool", name, inputs, attributes(pool.window(), dilations(pool.window())));
        } else if (layer instanceof Layer.AvgPool2d pool) {
            graph.node("AveragePool", name, inputs, attributes(pool.window(), attribute("count_include_pad", 1)));
        } else if (layer instanceof Layer.AdaptiveAvgPool2d pool) {
            adaptive(pool, inputs);
        } else if (layer instanceof Layer.Add) {
            sum(name, inputs);
        } else if (layer instanceof Layer.Concat) {
            graph.node("Concat", name, inputs, attribute("axis", 1));
        } else if (layer instanceof Layer.Flatten) {
            graph.node("Flatten", name, inputs, attribute("axis", 1));
        } else {
            throw KofnException.usage(
                    "model %s: layer %s: a %s has no form in ONNX yet", network.name(), name, layer.type());
        }
    }

    /** The inputs and, as initialisers, what the layer holds. */
    private List<String> withTensors(Layer layer, List<String> inputs) {
        List<String> all = new ArrayList<>(inputs);
        for (TensorSpec spec : layer.tensors()) {
            if (spec.kind() != TensorSpec.Kind.COUNTER) {
                String name = layer.name() + "." + spec.name();
                Tensor tensor = tensors.get(name);
                if (tensor == null || !Arrays.equals(Tensors.shape(tensor), spec.shape())) {
                    throw KofnException.file(
                            "model %s: layer %s: its %s is %s, where %s are wanted",
                            network.name(),
                            layer.name(),
                            spec.name(),
                            tensor == null ? "missing" : Arrays.toString(Tensors.shape(tensor)),
                            Arrays.toString(spec.shape()));
                }
                graph.initialiser(name, tensor);
                all.add(name);
            }
        }
        return all;
    }

    private void activation(Layer.Activation activation, String x) {
        String name = activation.name();
        List<Double> arguments = activation.arguments();
        switch (activation.kind()) {
            case RELU -> graph.node("Relu", name, List.of(x));
            case RELU6 -> clip(name, x, 0, 6);
            case HARDTANH -> clip(name, x, arguments.get(0), arguments.get(1));
            case LEAKY_RELU -> graph.node("LeakyRelu", name, List.of(x), attribute("alpha", arguments.get(0)));
            case ELU -> graph.node("Elu", name, List.of(x), attribute("alpha", arguments.get(0)));
            case SILU -> {
                graph.node("Sigmoid", name + "/sigmoid", List.of(x));
                graph.node("Mul", name, List.of(x, name + "/sigmoid"));
            }
            case HARDSWISH -> graph.node("HardSwish", name, List.of(x));
            case SIGMOID -> graph.node("Sigmoid", name, List.of(x));
            case TANH -> graph.node("Tanh", name, List.of(x));
            case GELU -> gelu(name, x);
        }
    }

    /** Layers' names have no slash, so nothing else bears these. */
    private void clip(String name, String x, double least, double most) {
        graph.initialiser(name + "/min", least);
        graph.initialiser(name + "/max", most);
        graph.node("Clip", name, List.of(x, name + "/min", name + "/max"));
    }

    /** x/2·(1 + erf(x/√2)). */
    private void gelu(String name, String x) {
        graph.initialiser(name + "/root", Math.sqrt(0.5));
        graph.initialiser(name + "/half", 0.5);
        graph.node("Mul", name + "/scaled", List.of(x, name + "/root"));
        graph.node("Erf", name + "/erf", List.of(name + "/scaled"));
        graph.node("Mul", name + "/halved", List.of(x, name + "/half"));
        graph.node("Mul", name + "/product", List.of(name + "/halved", name + "/erf"));
        graph.node("Add", name, List.of(name + "/halved", name + "/product"));
    }

    /** In the order of the layer's inputs, two at a time, which rounds as PyTorch does. */
    private void sum(String name, List<String> inputs) {
        String sum = inputs.get(0);
        for (int i = 1; i < inputs.size(); i++) {
            String next = i == inputs.size() - 1 ? name : name + "/" + i;
            graph.node("Add", next, List.of(sum, inputs.get(i)));
            sum = next;
        }
    }

    private void adaptive(Layer.AdaptiveAvgPool2d pool, List<String> inputs) {
        if (pool.height() == 1 && pool.width() == 1) {
            graph.node("GlobalAveragePool", pool.name(), inputs);
            return;
        }
        Shape image = shapes.get(pool.input());
        EvenWindows rows = EvenWindows.of(image.height(), pool.height());
        EvenWindows columns = EvenWindows.of(image.width(), pool.width());
        if (rows == null || columns == null) {
            throw KofnException.usage(
                    "model %s: layer %s: averages %dx%d pixels down to %dx%d, in windows that are not all alike, which"
                            + " ONNX has not",
                    network.name(), pool.name(), image.height(), image.width(), pool.height(), pool.width());
        }
        Window window = new Window(rows.size(), columns.size(), rows.stride(), columns.stride(), 0, 0, 1, 1);
        graph.node("AveragePool", pool.name(), inputs, attributes(window));
    }

    private static Message[] attributes(Window w, Message... more) {
        List<Message> all = new ArrayList<>(List.of(more));
        all.add(attribute("kernel_shape", new long[] {w.height(), w.width()}));
        all.add(attribute("strides", new long[] {w.strideHeight(), w.strideWidth()}));
        all.add(attribute("pads", new long[] {w.padHeight(), w.padWidth(), w.padHeight(), w.padWidth()}));
        return all.toArray(Message[]::new);
    }

    private static Message dilations(Window w) {
        return attribute("dilations", new long[] {w.dilationHeight(), w.dilationWidth()});
    }
}
