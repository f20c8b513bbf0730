package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/sparse_conv} for one layer and one size of batch: kept kernels packed, tiles chosen. Input and
 * output are in the native kernels' own layout, weights in the precision of both.
 */
final class NativeConvolution implements NativePlan {
    /** What the contract allows. */
    private static final int LARGEST_WINDOW = 7;

    private static final int LARGEST_PADDING = 3;

    private final KofnSparseConv.Plan plan;
    private final int threads;

    /**
     * Makes a plan.
     *
     * @param threads the most that a run may use
     */
    NativeConvolution(Op.Conv op, PaddedLayout input, PaddedLayout output, int threads) {
        this.threads = threads;
        try (PointerScope scope = new PointerScope()) {
            KofnSparseConv.Convolution convolution = description(op, input.shape());
            PointerPointer<KofnSparseConv.Plan> made = new PointerPointer<>(1);
            int status = KofnSparseConv.open(convolution, input.tensor(), output.tensor(), threads, made);
            NativePlan.check("layer " + op.name(), status);
            plan = Tensors.keep(new KofnSparseConv.Plan(made.get(0)));
        }
    }

    /** A convolution of images of a shape as the native kernels are told of it; it belongs to the caller's scope. */
    static KofnSparseConv.Convolution description(Op.Conv op, Shape input) {
        Window window = op.window();
        KeptWeights weights = KeptWeights.of(op);
        return new KofnSparseConv.Convolution()
                .inputs(weights.kept().inputs())
                .outputs(weights.kept().outputs())
                .height(input.height())
                .width(input.width())
                .rows(window.height())
                .columns(window.width())
                .strideRows(window.strideHeight())
                .strideColumns(window.strideWidth())
                .paddingRows(window.padHeight())
                .paddingColumns(window.padWidth())
                .share(weights.kept().share())
                .kept(weights.k())
                .activation(op.epilogue().rectifier().ordinal())
                .indices(weights.indices())
                .weights(weights.weights())
                .bias(op.bias().data_ptr_float());
    }

    /** Whether the native kernels compute this. */
    static boolean computes(Op.Conv conv) {
        return conv.groups() == 1 && computes(conv.window());
    }

    /** Whether they know a window. */
    static boolean computes(Window w) {
        return w.dense()
                && Math.max(w.height(), w.width()) <= LARGEST_WINDOW
                && Math.max(w.strideHeight(), w.strideWidth()) <= LARGEST_WINDOW
                && Math.max(w.padHeight(), w.padWidth()) <= LARGEST_PADDING;
    }

    @Override
    public void run(
            FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, Pointer stream) {
        NativePlan.check("convolution", KofnSparseConv.run(plan, input, output, residual, workspace, threads));
    }

    @Override
    public long workspaceBytes() {
        return Float.BYTES * KofnSparseConv.workspace(plan);
    }

    @Override
    public long bytes() {
        return KofnSparseConv.bytes(plan);
    }

    @Override
    public String describe() {
        try (PointerScope scope = new PointerScope()) {
            return KofnSparseConv.describe(plan).getString();
        }
    }

    @Override
    public void close() {
        KofnSparseConv.close(plan);
        plan.close();
    }
}
