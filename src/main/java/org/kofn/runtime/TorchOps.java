package org.kofn.runtime;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.nn.Layer;
import org.kofn.nn.Window;

/** Every {@link Op} in LibTorch's operations, one after another; results belong to the caller's scope. */
final class TorchOps {
    private TorchOps() {}

    /**
     * The value of an operation.
     *
     * @param inputs fp32 [batch, …], in the order of {@link Op#inputs}
     */
    static Tensor run(Op op, List<Tensor> inputs) {
        Tensor x = inputs.get(0);
        if (op instanceof Op.Conv conv) {
            return finish(convolution(conv, x), conv.epilogue(), inputs);
        } else if (op instanceof Op.Linear linear) {
            Tensor sums = torch.linear(x, linear.weights().dense(), new TensorOptional(linear.bias()));
            return finish(sums, linear.epilogue(), inputs);
        } else if (op instanceof Op.ScaleShift norm) {
            long[] perChannel = new long[(int) x.dim()];
            Arrays.fill(perChannel, 1);
            perChannel[1] = -1;
            Tensor scale = norm.scale().to(ScalarType.Float).view(perChannel);
            return x.mul(scale).add_(norm.shift().to(ScalarType.Float).view(perChannel));
        }
        return plain(((Op.Plain) op).layer(), inputs);
    }

    /** A layer without tensors. */
    static Tensor plain(Layer layer, List<Tensor> inputs) {
        Tensor x = inputs.get(0);
        if (layer instanceof Layer.Activation activation) {
            return activation(activation, x);
        } else if (layer instanceof Layer.MaxPool2d pool) {
            Window w = pool.window();
            long[] dilation = {w.dilationHeight(), w.dilationWidth()};
            return torch.max_pool2d(x, size(w), stride(w), padding(w), dilation, false);
        } else if (layer instanceof Layer.AvgPool2d pool) {
            Window w = pool.window();
            return torch.avg_pool2d(x, size(w), stride(w), padding(w), false, true, new LongOptional());
        } else if (layer instanceof Layer.AdaptiveAvgPool2d pool) {
            return torch.adaptive_avg_pool2d(x, pool.height(), pool.width());
        } else if (layer instanceof Layer.Add) {
            Tensor sum = x;
            for (Tensor other : inputs.subList(1, inputs.size())) {
                sum = sum.add(other);
            }
            return sum;
        } else if (layer instanceof Layer.Concat) {
            return torch.cat(new TensorVector(inputs.toArray(Tensor[]::new)), 1);
        } else if (layer instanceof Layer.Flatten) {
            return x.flatten(1, -1);
        }
        throw new IllegalArgumentException("no LibTorch operation for " + layer.type());
    }

    /** An activation of each element, for any floating type. */
    static Tensor activation(Layer.Activation activation, Tensor x) {
        Scalar[] arguments = activation.arguments().stream().map(Scalar::new).toArray(Scalar[]::new);
        return switch (activation.kind()) {
            case RELU -> torch.relu(x);
            case RELU6 -> torch.relu6(x);
            case HARDTANH -> torch.hardtanh(x, arguments[0], arguments[1]);
            case LEAKY_RELU -> torch.leaky_relu(x, arguments[0]);
            case ELU -> torch.elu(x, arguments[0], new Scalar(1.0), new Scalar(1.0));
            case SILU -> torch.silu(x);
            case HARDSWISH -> torch.hardswish(x);
            case SIGMOID -> torch.sigmoid(x);
            case TANH -> torch.tanh(x);
            case GELU -> torch.gelu(x);
        };
    }

    private static Tensor convolution(Op.Conv conv, Tensor x) {
        Window w = conv.window();
        long[] dilation = {w.dilationHeight(), w.dilationWidth()};
        TensorOptional bias = new TensorOptional(conv.bias());
        return torch.conv2d(x, conv.weights().dense(), bias, stride(w), padding(w), dilation, conv.groups());
    }

    private static Tensor finish(Tensor sums, Epilogue epilogue, List<Tensor> inputs) {
        return rectify(epilogue.residual() == null ? sums : sums.add_(inputs.get(1)), epilogue.rectifier());
    }

    /** Rectifies a tensor in its place. */
    static Tensor rectify(Tensor x, Epilogue.Rectifier rectifier) {
        return switch (rectifier) {
            case NONE -> x;
            case RELU -> x.relu_();
            case RELU6 -> torch.clamp_(x, new ScalarOptional(new Scalar(0.0)), new ScalarOptional(new Scalar(6.0)));
        };
    }

    private static long[] size(Window w) {
        return new long[] {w.height(), w.width()};
    }

    private static long[] stride(Window w) {
        return new long[] {w.strideHeight(), w.strideWidth()};
    }

    private static long[] padding(Window w) {
        return new long[] {w.padHeight(), w.padWidth()};
    }
}
