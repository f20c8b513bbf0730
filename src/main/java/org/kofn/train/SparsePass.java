package org.kofn.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.kofn.compress.Compression;
import org.kofn.kernels.FrozenConvolution;
import org.kofn.kernels.Gradients;
import org.kofn.kernels.MaskedWeight;
import org.kofn.kernels.SparseConvolution;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Segment;
import org.kofn.nn.SegmentedModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.nn.Window;

/**
 * A pass whose convolutions under frozen masks read only what is kept. LibTorch's autograd does not know them, so the
 * network is cut before and behind each: what crosses a cut is detached, and the gradients are carried over it by hand.
 *
 * <pre>
 *   segment ──▶ x │ sparse convolution │ y ──▶ segment ──▶ … scores ──▶ loss
 *   autograd ◀─ ∂x│  data and weights  │∂y ◀── autograd ◀── …
 * </pre>
 *
 * A value that several segments take, such as a shortcut, is a leaf in each; its gradients are summed up, in the order
 * of the segments from the last to the first.
 */
final class SparsePass implements Pass, AutoCloseable {
    private final ScriptModule module;
    private final SegmentedModule segmented;
    private final Map<String, FrozenConvolution> convolutions;
    private final String scores;
    /** Of the forward pass: for every segment, its inputs and outputs by name, inputs as leaves. */
    private final List<Map<String, Tensor>> leaves = new ArrayList<>();

    private final List<Map<String, Tensor>> results = new ArrayList<>();
    private Tensor scoresLeaf;

    private SparsePass(ScriptModule module, SegmentedModule segmented, Map<String, FrozenConvolution> convolutions) {
        this.module = module;
        this.segmented = segmented;
        this.convolutions = convolutions;
        List<Segment> segments = segmented.segments();
        this.scores = segments.get(segments.size() - 1).outputs().get(0);
    }

    /**
     * The pass of a network whose masks are frozen, with the convolutions that the native kernels compute; null where
     * there is none, or no library for this device.
     *
     * @param batch images a step
     */
    static SparsePass of(Network network, ScriptModule module, Compression compression, Device device, int batch) {
        if (!FrozenConvolution.available(device)) {
            return null;
        }
        Map<String, MaskedWeight> pruned = new HashMap<>();
        compression.pruned().forEach(weight -> pruned.put(weight.layer(), weight));
        Map<String, Shape> shapes = network.shapes();
        Map<String, FrozenConvolution> convolutions = new LinkedHashMap<>();
        for (Layer layer : network.layers()) {
            MaskedWeight weight = pruned.get(layer.name());
            if (weight == null || !(layer instanceof Layer.Conv2d conv)) {
                continue;
            }
            SparseConvolution.Geometry geometry = geometry(conv, shapes.get(conv.input()), batch);
            if (conv.groups() == 1 && conv.window().dense() && SparseConvolution.computes(weight, geometry)) {
                Tensor bias = module.parameters().get(layer.name() + ".bias");
                convolutions.put(layer.name(), FrozenConvolution.of(weight, bias, geometry));
            }
        }
        if (convolutions.isEmpty()) {
            return null;
        }
        List<Segment> segments = Segment.cut(network, convolutions.keySet());
        return new SparsePass(module, TorchScriptCompiler.segments(network, module, segments), convolutions);
    }

    private static SparseConvolution.Geometry geometry(Layer.Conv2d conv, Shape input, int batch) {
        Window window = conv.window();
        return new SparseConvolution.Geometry(
                batch,
                new int[] {input.height(), input.width()},
                new int[] {window.strideHeight(), window.strideWidth()},
                new int[] {window.padHeight(), window.padWidth()});
    }

    /** How many convolutions are sparse. */
    int convolutions() {
        return convolutions.size();
    }

    @Override
    public Tensor forward(Tensor images) {
        leaves.clear();
        results.clear();
        Map<String, Tensor> values = new HashMap<>(Map.of(Network.INPUT, images));
        for (int i = 0; i < segmented.segments().size(); i++) {
            Segment segment = segmented.segments().get(i);
            Map<String, Tensor> taken = new LinkedHashMap<>();
            Map<String, Tensor> given = new LinkedHashMap<>();
            FrozenConvolution convolution =
                    convolutions.get(segment.layers().get(0).name());
            for (String input : segment.inputs()) {
                boolean learns = convolution == null && !input.equals(Network.INPUT);
                taken.put(input, values.get(input).detach().requires_grad_(learns));
            }
            List<Tensor> inputs = List.copyOf(taken.values());
            List<Tensor> outputs =
                    convolution == null ? segmented.run(i, inputs) : List.of(convolution.forward(inputs.get(0)));
            for (int o = 0; o < outputs.size(); o++) {
                given.put(segment.outputs().get(o), outputs.get(o));
            }
            values.putAll(given);
            leaves.add(taken);
            results.add(given);
        }
        scoresLeaf = values.get(scores).detach().requires_grad_(true);
        return scoresLeaf;
    }

    @Override
    public void backward(Tensor loss) {
        loss.backward();
        Map<String, Tensor> gradients = new HashMap<>(Map.of(scores, scoresLeaf.grad()));
        for (int i = leaves.size() - 1; i >= 0; i--) {
            String first = segmented.segments().get(i).layers().get(0).name();
            FrozenConvolution convolution = convolutions.get(first);
            if (convolution == null) {
                backward(results.get(i), leaves.get(i), gradients);
            } else {
                String input = segmented.segments().get(i).inputs().get(0);
                backward(first, convolution, input, gradients);
            }
        }
        leaves.clear();
        results.clear();
        scoresLeaf = null;
    }

    /** Through a segment of LibTorch's, from the gradients of its outputs to those of its leaves. */
    private static void backward(
            Map<String, Tensor> outputs, Map<String, Tensor> leaves, Map<String, Tensor> gradients) {
        TensorVector from = new TensorVector(outputs.values().toArray(Tensor[]::new));
        TensorVector seeds = new TensorVector(
                outputs.keySet().stream().map(gradients::remove).toArray(Tensor[]::new));
        torch.backward(from, seeds, new BoolOptional(), false, new TensorVector());
        leaves.forEach((name, leaf) -> {
            if (leaf.requires_grad()) {
                gradients.merge(name, leaf.grad(), Tensor::add);
            }
        });
    }

    /** Through a sparse convolution. */
    private void backward(String name, FrozenConvolution convolution, String input, Map<String, Tensor> gradients) {
        SparseConvolution.Gradient found = convolution.backward(gradients.remove(name), !input.equals(Network.INPUT));
        Gradients.set(module.parameters().get(name + ".weight"), found.weight());
        if (found.bias() != null) {
            Gradients.set(module.parameters().get(name + ".bias"), found.bias());
        }
        if (found.input() != null) {
            gradients.merge(input, found.input(), Tensor::add);
        }
    }

    @Override
    public void close() {
        segmented.close();
        convolutions.values().forEach(FrozenConvolution::close);
    }
}
