package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.Precision;
import org.kofn.kernels.jni.KofnSparseCuda;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/sparse_linear} on a GPU, for one layer and one size of batch: weights and lists uploaded. Input
 * and output are as LibTorch has them, [batch, features]. Tensor cores have nothing to do here, so tf32 is fp32.
 */
final class CudaLinear implements NativePlan {
    private final KofnSparseCuda.LinearPlan plan;

    /** Makes a plan on the current device. */
    CudaLinear(Op.Linear op, int batch, Precision precision) {
        Precision stored = precision == Precision.BF16 ? precision : Precision.FP32;
        try (PointerScope scope = new PointerScope()) {
            PointerPointer<KofnSparseCuda.LinearPlan> made = new PointerPointer<>(1);
            int status = KofnSparseCuda.open(NativeLinear.description(op), batch, stored.ordinal(), made);
            NativePlan.check("layer " + op.name(), status);
            plan = Tensors.keep(new KofnSparseCuda.LinearPlan(made.get(0)));
        }
    }

    @Override
    public void run(
            FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, Pointer stream) {
        NativePlan.check("linear layer", KofnSparseCuda.run(plan, input, output, residual, stream));
    }

    @Override
    public long workspaceBytes() {
        return 0;
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
