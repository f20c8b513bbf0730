package org.kofn.runtime;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Precision;
import org.kofn.nn.Window;
import org.kofn.torch.CudaMath;
import org.kofn.torch.Tensors;

/**
 * An NVIDIA GPU: all values as LibTorch has them, so that its operations, cuDNN's among them, stand between the sparse
 * kernels without a change of layout. Kernels are only enqueued; the host does not wait. While a backend is open,
 * LibTorch's dense operations round no more than its precision allows, in the whole process.
 */
final class CudaBackend extends Backend {
    /** Enough to fill a GPU with the small images of a data set, and few enough for those of ImageNet. */
    private static final int PIECE = 128;

    /** So many outputs with one list are rows enough for tensor cores. */
    private static final int SHARE_OF_TENSOR_CORES = 16;

    /** Three quarters of a dense product's time in tf32, half of it in bf16, by {@code cuda/two_four/two_four.h}. */
    private static final BreakEven TWO_FOUR = new BreakEven(0.5, "2:4 on sparse tensor cores");

    private static final Window ONE_PIXEL = Window.square(1, 1, 0);

    private final boolean available;
    private final CudaMath.Setting math;
    private final Map<String, Op> placed = new ConcurrentHashMap<>();

    /** A backend of a GPU, without the sparse kernels where they were not built. */
    CudaBackend(Device device, Precision precision) {
        this(device, precision, available(device));
    }

    /** The same where the kernels are known to be there, emulated perhaps: then {@code device} is a CPU. */
    CudaBackend(Device device, Precision precision, boolean available) {
        super(device, precision, 0);
        this.available = available;
        this.math = CudaMath.of(precision == Precision.TF32);
    }

    @Override
    public int piece() {
        return PIECE;
    }

    @Override
    boolean available() {
        return available;
    }

    /** A GPU has no threads to share: its inferences follow each other. */
    @Override
    Backend share(int threads) {
        return this;
    }

    @Override
    boolean pads() {
        return false;
    }

    @Override
    BreakEven certain(Op.Weighted op) {
        return isTwoFour(op) ? TWO_FOUR : null;
    }

    @Override
    NativePlan convolution(Op.Conv op, Buffer input, Buffer output) {
        return isTwoFour(op)
                ? new CudaTwoFour(
                        op,
                        input.batch(),
                        input.shape().height() * input.shape().width(),
                        precision())
                : new CudaConvolution(op, input.shape(), input.batch(), precision());
    }

    @Override
    NativePlan linear(Op.Linear op, int batch) {
        if (isTwoFour(op)) {
            return new CudaTwoFour(op, batch, 1, precision());
        }
        boolean tensorCores =
                precision() != Precision.FP32 && op.kept() != null && op.kept().share() % SHARE_OF_TENSOR_CORES == 0;
        return tensorCores ? CudaConvolution.ofLinear(op, batch, precision()) : new CudaLinear(op, batch, precision());
    }

    private boolean isTwoFour(Op.Weighted op) {
        boolean onePixel = !(op instanceof Op.Conv conv) || conv.window().equals(ONE_PIXEL);
        return precision() != Precision.FP32
                && onePixel
                && op.kept() != null
                && op.kept().isTwoOfFour();
    }

    /** Copies on the device, made once. */
    @Override
    Op placed(Op op) {
        return placed.computeIfAbsent(op.name(), name -> {
            try (PointerScope scope = new PointerScope()) {
                if (op instanceof Op.Weighted layer) {
                    Weights weights = Weights.dense(
                            here(layer.weights().dense(), precision().type()));
                    return layer.with(weights, here(layer.bias(), precision().type()));
                } else if (op instanceof Op.ScaleShift norm) {
                    Tensor scale = here(norm.scale(), ScalarType.Float);
                    return new Op.ScaleShift(norm.name(), norm.input(), scale, here(norm.shift(), ScalarType.Float));
                }
                return op;
            }
        });
    }

    private Tensor here(Tensor tensor, ScalarType type) {
        return Tensors.keep(tensor.to(device(), type, false, true, new MemoryFormatOptional()));
    }

    @Override
    public void close() {
        placed.values().forEach(op -> op.tensors().forEach(Tensor::close));
        placed.clear();
        math.close();
    }
}
