package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.torch.Tensors;

/**
 * The first pass: a network and its tensors as an {@link InferenceGraph}. Batch norms become scale and shift, computed
 * in double precision; dropouts, which do nothing in inference, disappear; every convolution and linear layer has a
 * bias.
 */
final class GraphImport {
    private final Network network;
    private final Map<String, Tensor> tensors;
    private final Map<String, ParameterMask> masks;

    private GraphImport(Network network, Map<String, Tensor> tensors, Map<String, ParameterMask> masks) {
        this.network = network;
        this.tensors = tensors;
        this.masks = masks;
    }

    /** The graph; its tensors belong to the caller's scope, and may share the memory of those that came in. */
    static InferenceGraph of(Network network, Map<String, Tensor> tensors, Map<String, ParameterMask> masks) {
        return new GraphImport(network, tensors, masks).graph();
    }

    private InferenceGraph graph() {
        List<Op> ops = new ArrayList<>();
        Map<String, String> aliases = new HashMap<>();
        for (Layer layer : network.layers()) {
            List<String> inputs = layer.inputs().stream()
                    .map(input -> aliases.getOrDefault(input, input))
                    .toList();
            if (layer instanceof Layer.Dropout) {
                aliases.put(layer.name(), inputs.get(0));
            } else {
                ops.add(op(layer, inputs));
            }
        }
        return new InferenceGraph(network.input(), ops);
    }

    private Op op(Layer layer, List<String> inputs) {
        String name = layer.name();
        String input = inputs.get(0);
        if (layer instanceof Layer.Conv2d conv) {
            Tensor bias = bias(layer, conv.bias());
            return new Op.Conv(name, input, conv.window(), conv.groups(), weights(layer), bias, Epilogue.NONE);
        } else if (layer instanceof Layer.Linear linear) {
            return new Op.Linear(name, input, weights(layer), bias(layer, linear.bias()), Epilogue.NONE);
        } else if (layer instanceof Layer.BatchNorm2d norm) {
            Tensor variance = tensor(layer, "running_var", ScalarType.Double);
            Tensor scale = tensor(layer, "weight", ScalarType.Double)
                    .div(variance.add(new Scalar(norm.epsilon())).sqrt());
            Tensor shift = tensor(layer, "bias", ScalarType.Double)
                    .sub(tensor(layer, "running_mean", ScalarType.Double).mul(scale));
            return new Op.ScaleShift(name, input, scale, shift);
        }
        return new Op.Plain(layer, inputs);
    }

    private Tensor bias(Layer layer, boolean has) {
        return has
                ? tensor(layer, "bias", ScalarType.Float)
                : torch.zeros(layer.tensors().get(0).shape()[0]);
    }

    /** Only the kept ones where that is how they come or how they can be held. */
    private Weights weights(Layer layer) {
        ParameterMask mask = masks.get(layer.name() + ".weight");
        KeptKernels kept = mask == null ? null : KeptKernels.of(mask);
        if (kept != null && mask.holdsKernels()) {
            return Weights.listed(mask.layout().shape(), kept, fp(mask.values(), ScalarType.Float));
        }
        Tensor weight = mask != null && mask.values() != null
                ? Tensors.only(() -> fp(mask.layout().unfold(mask.mask(), mask.values()), ScalarType.Float))
                : tensor(layer, "weight", ScalarType.Float);
        return kept == null ? Weights.dense(weight) : Weights.listed(weight, kept);
    }

    /** On the CPU; the same memory where it is there in that type. */
    private Tensor tensor(Layer layer, String tensor, ScalarType type) {
        Tensor found = tensors.get(layer.name() + "." + tensor);
        if (found == null) {
            throw KofnException.file("model %s: layer %s: its %s is missing", network.name(), layer.name(), tensor);
        }
        return fp(found, type);
    }

    private static Tensor fp(Tensor tensor, ScalarType type) {
        return tensor.detach().cpu().to(type).contiguous();
    }
}
