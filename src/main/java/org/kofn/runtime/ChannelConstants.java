package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/**
 * Which channels of which values are the same number everywhere, whatever the image: a feature map without weights is
 * its bias, and after a batch norm and a rectifier still a constant. Constant propagation, channel by channel, in
 * double precision. "No constant" is NaN, which sums and activations pass on by themselves.
 */
final class ChannelConstants {
    private static final Scalar NONE = Tensors.keep(new Scalar(Double.NaN));
    private static final Scalar ZERO = Tensors.keep(new Scalar(0.0));

    private final Map<String, double[]> constants = new HashMap<>();

    /** The constants of a graph whose values have these shapes; epilogues must be empty. */
    ChannelConstants(InferenceGraph graph, Map<String, Shape> shapes) {
        try (PointerScope scope = new PointerScope()) {
            Map<String, Tensor> values = new HashMap<>();
            values.put(Network.INPUT, torch.full(new long[] {graph.input().channels()}, NONE, fp64()));
            for (Op op : graph.ops()) {
                List<Tensor> inputs = op.inputs().stream().map(values::get).toList();
                Shape shape = shapes.get(op.inputs().get(0));
                values.put(op.name(), transfer(op, inputs, shape));
            }
            values.forEach((name, value) -> constants.put(name, doubles(value)));
        }
    }

    /** The constants of a value's channels, NaN where a channel is none. */
    double[] of(String value) {
        return constants.get(value);
    }

    private static Tensor transfer(Op op, List<Tensor> inputs, Shape shape) {
        Tensor x = inputs.get(0);
        if (op instanceof Op.Weighted weighted) {
            return weighted(weighted, x);
        } else if (op instanceof Op.ScaleShift norm) {
            return x.mul(norm.scale()).add(norm.shift());
        }
        Layer layer = ((Op.Plain) op).layer();
        if (layer instanceof Layer.Concat) {
            List<Tensor> columns = new ArrayList<>(inputs);
            return torch.cat(new TensorVector(columns.toArray(Tensor[]::new)), 0);
        } else if (layer instanceof Layer.Flatten) {
            return x.repeat_interleave((long) shape.height() * shape.width(), new LongOptional(0), new LongOptional());
        } else if (layer instanceof Layer.AvgPool2d pool && padded(pool.window())) {
            // The zeros around the image are averaged in.
            return x.masked_fill(x.ne(ZERO), NONE);
        } else if (layer instanceof Layer.MaxPool2d pool
                && padded(pool.window())
                && !pool.window().dense()) {
            return torch.full_like(x, NONE); // A window with gaps may lie outside the image as a whole.
        } else if (layer instanceof Layer.Activation) {
            return TorchOps.plain(layer, inputs).masked_fill(x.isnan(), NONE);
        } else if (layer instanceof Layer.Add) {
            return TorchOps.plain(layer, inputs);
        }
        return x; // What is left picks or averages values of one channel.
    }

    /** Constant where every kernel that is not zero reads a constant, and no padding makes an edge of it. */
    private static Tensor weighted(Op.Weighted op, Tensor x) {
        Tensor unknown = x.isnan();
        if (op.padded()) {
            unknown = unknown.logical_or(x.ne(ZERO));
        }
        if (op.groups() > 1) {
            return torch.full(new long[] {op.outputs()}, NONE, fp64());
        }
        Tensor sums = op.weights().sums(x.masked_fill(unknown, ZERO));
        return sums.add(op.bias().to(ScalarType.Double)).masked_fill(blocked(op, Tensors.bytes(unknown)), NONE);
    }

    /** Boolean [O]: the outputs that read an input which is no constant. */
    private static Tensor blocked(Op.Weighted op, byte[] unknown) {
        byte[] blocked = new byte[op.outputs()];
        op.weights().reads().stream().forEach(at -> blocked[at / unknown.length] |= unknown[at % unknown.length]);
        return Tensors.ofBytes(blocked, ScalarType.Bool, blocked.length);
    }

    private static boolean padded(Window window) {
        return window.padHeight() > 0 || window.padWidth() > 0;
    }

    private static TensorOptions fp64() {
        return new TensorOptions(ScalarType.Double);
    }

    private static double[] doubles(Tensor tensor) {
        double[] out = new double[Math.toIntExact(tensor.numel())];
        tensor.contiguous().data_ptr_double().capacity(out.length).get(out);
        return out;
    }
}
