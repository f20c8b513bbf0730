package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.Precision;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.kernels.jni.KofnSparseCuda;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/sparse_conv} on a GPU, for one layer and one size of batch: weights and lists uploaded. Input
 * and output are as LibTorch has them, [batch, channels, height, width].
 */
final class CudaConvolution implements NativePlan {
    private final KofnSparseCuda.ConvolutionPlan plan;

    /** Makes a plan on the current device. */
    CudaConvolution(Op.Conv op, Shape input, int batch, Precision precision) {
        try (PointerScope scope = new PointerScope()) {
            KofnSparseConv.Convolution convolution = NativeConvolution.description(op, input);
            PointerPointer<KofnSparseCuda.ConvolutionPlan> made = new PointerPointer<>(1);
            NativePlan.check("layer " + op.name(), KofnSparseCuda.open(convolution, batch, precision.ordinal(), made));
            plan = Tensors.keep(new KofnSparseCuda.ConvolutionPlan(made.get(0)));
        }
    }

    /** A linear layer as a 1×1 convolution of images of one pixel. */
    static CudaConvolution ofLinear(Op.Linear op, int batch, Precision precision) {
        Window window = Window.square(1, 1, 0);
        Op.Conv conv = new Op.Conv(op.name(), op.input(), window, 1, op.weights(), op.bias(), op.epilogue());
        return new CudaConvolution(conv, Shape.features(op.weights().inputs()), batch, precision);
    }

    @Override
    public void run(
            FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, Pointer stream) {
        NativePlan.check("convolution", KofnSparseCuda.run(plan, input, output, residual, workspace, stream));
    }

    @Override
    public long workspaceBytes() {
        return KofnSparseCuda.workspace(plan);
    }

    @Override
    public long bytes() {
        return KofnSparseCuda.bytes(plan);
    }

    @Override
    public String describe() {
        try (PointerScope scope = new PointerScope()) {
            return KofnSparseCuda.describe(plan).getString();
        }
    }

    @Override
    public void close() {
        KofnSparseCuda.close(plan);
        plan.close();
    }
}
