package org.kofn.runtime;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.Precision;
import org.kofn.kernels.jni.KofnSparseCuda;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/two_four} on a GPU: a linear layer or 1×1 convolution that keeps two of every four inputs, on
 * sparse tensor cores, for one size of batch. Input and output are as LibTorch has them.
 */
final class CudaTwoFour implements NativePlan {
    private final KofnSparseCuda.TwoFourPlan plan;

    /**
     * Makes a plan on the current device, in tf32 or bf16.
     *
     * @param pixels of an image; 1 for a linear layer
     */
    CudaTwoFour(Op.Weighted op, int batch, int pixels, Precision precision) {
        try (PointerScope scope = new PointerScope()) {
            KeptWeights weights = KeptWeights.of(op);
            KofnSparseCuda.TwoFour layer = new KofnSparseCuda.TwoFour()
                    .inputs(weights.kept().inputs())
                    .outputs(weights.kept().outputs())
                    .batch(batch)
                    .pixels(pixels)
                    .activation(op.epilogue().rectifier().ordinal())
                    .values(weights.weights())
                    .places(new BytePointer(places(weights.kept())))
                    .bias(op.bias().data_ptr_float());
            PointerPointer<KofnSparseCuda.TwoFourPlan> made = new PointerPointer<>(1);
            NativePlan.check("layer " + op.name(), KofnSparseCuda.open(layer, precision.ordinal(), made));
            plan = Tensors.keep(new KofnSparseCuda.TwoFourPlan(made.get(0)));
        }
    }

    /** Four bits for every four inputs, as {@code kofn_two_four_pack} has them: rows of [⌈n/8⌉] bytes. */
    private static byte[] places(KeptKernels kept) {
        int row = (kept.inputs() + 7) / 8;
        byte[] places = new byte[kept.outputs() * row];
        for (int output = 0; output < kept.outputs(); output++) {
            int[] list = kept.indices()[output];
            for (int four = 0; four < list.length / 2; four++) {
                int bits = list[2 * four] % 4 | list[2 * four + 1] % 4 << 2;
                places[output * row + four / 2] |= (byte) (bits << 4 * (four % 2));
            }
        }
        return places;
    }

    @Override
    public void run(
            FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, Pointer stream) {
        NativePlan.check("2:4 layer", KofnSparseCuda.run(plan, input, output, residual, stream));
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
