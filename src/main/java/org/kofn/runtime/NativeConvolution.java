package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/sparse_conv} for one layer and one size of batch: kept kernels packed, tiles chosen. Linear
 * layers are 1x1 convolutions of images of one pixel.
 */
final class NativeConvolution implements AutoCloseable {
    /** What the contract allows. */
    private static final int LARGEST_WINDOW = 7;

    private static final int LARGEST_PADDING = 3;

    private final KofnSparseConv.Plan plan;

    /**
     * Makes a plan.
     *
     * @param threads the most that a run may use
     */
    NativeConvolution(Op.Weighted op, PaddedLayout input, PaddedLayout output, int threads) {
        Window window = op instanceof Op.Conv conv ? conv.window() : Window.square(1, 1, 0);
        try (PointerScope scope = new PointerScope()) {
            KeptWeights weights = KeptWeights.of(op);
            KofnSparseConv.Convolution convolution = new KofnSparseConv.Convolution()
                    .inputs(weights.kept().inputs())
                    .outputs(weights.kept().outputs())
                    .height(input.shape().height())
                    .width(input.shape().width())
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
            PointerPointer<KofnSparseConv.Plan> made = new PointerPointer<>(1);
            int status = KofnSparseConv.open(convolution, input.tensor(), output.tensor(), threads, made);
            check("layer " + op.name(), status);
            plan = Tensors.keep(new KofnSparseConv.Plan(made.get(0)));
        }
    }

    /** Whether the native kernels compute this; linear layers as convolutions of one pixel. */
    static boolean computes(Op.Weighted op) {
        return !(op instanceof Op.Conv conv) || (conv.groups() == 1 && computes(conv.window()));
    }

    /** Whether they know a window. */
    static boolean computes(Window w) {
        return w.dense()
                && Math.max(w.height(), w.width()) <= LARGEST_WINDOW
                && Math.max(w.strideHeight(), w.strideWidth()) <= LARGEST_WINDOW
                && Math.max(w.padHeight(), w.padWidth()) <= LARGEST_PADDING;
    }

    /** Whether the library is there. */
    static boolean available() {
        return NativeLibrary.sparse().loads();
    }

    /** Runs; {@code residual} and {@code workspace} may be null where there is none. */
    void run(FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, int threads) {
        check("convolution", KofnSparseConv.run(plan, input, output, residual, workspace, threads));
    }

    /** Bytes of scratch memory that a run needs. */
    long workspaceBytes() {
        return Float.BYTES * KofnSparseConv.workspace(plan);
    }

    /** Bytes of packed weights and lists. */
    long bytes() {
        return KofnSparseConv.bytes(plan);
    }

    /** The loops that were chosen. */
    String describe() {
        try (PointerScope scope = new PointerScope()) {
            return KofnSparseConv.describe(plan).getString();
        }
    }

    @Override
    public void close() {
        KofnSparseConv.close(plan);
        plan.close();
    }

    /** Everything that the runtime passes was checked before, so that another status is a bug. */
    static void check(String what, int status) {
        if (status != 0) {
            throw new IllegalStateException(what + ": the native kernels refuse it with status " + status);
        }
    }
}
