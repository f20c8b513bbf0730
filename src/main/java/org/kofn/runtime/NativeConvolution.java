package org.kofn.runtime;

import java.util.Arrays;
import java.util.BitSet;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/sparse_conv} for one layer and one size of batch: kept kernels packed, tiles chosen. Linear
 * layers are 1x1 convolutions of images of one pixel. Lists that became shorter when feature maps were removed are
 * filled up with kernels that are zero, so that all have one length again.
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
        KeptKernels kept = op.kept() == null ? everything(op) : op.kept();
        int k = Math.max(1, kept.longest());
        int[] indices = new int[kept.indices().length * k];
        for (int group = 0; group < kept.indices().length; group++) {
            System.arraycopy(filledUp(kept.indices()[group], k), 0, indices, group * k, k);
        }
        try (PointerScope scope = new PointerScope()) {
            KofnSparseConv.Convolution convolution = new KofnSparseConv.Convolution()
                    .inputs(kept.inputs())
                    .outputs(kept.outputs())
                    .height(input.shape().height())
                    .width(input.shape().width())
                    .rows(window.height())
                    .columns(window.width())
                    .strideRows(window.strideHeight())
                    .strideColumns(window.strideWidth())
                    .paddingRows(window.padHeight())
                    .paddingColumns(window.padWidth())
                    .share(kept.share())
                    .kept(k)
                    .activation(op.epilogue().rectifier().ordinal())
                    .indices(new IntPointer(indices))
                    .weights(new FloatPointer(packed(op, kept, indices, k)))
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

    /** All inputs for all outputs, as one shared list. */
    private static KeptKernels everything(Op.Weighted op) {
        int[] all = new int[Math.toIntExact(op.weight().size(1))];
        Arrays.setAll(all, i -> i);
        return new KeptKernels(op.outputs(), all.length, new int[][] {all});
    }

    /** The list with the lowest inputs that are not in it, up to k, ascending. */
    private static int[] filledUp(int[] list, int k) {
        BitSet inputs = new BitSet();
        Arrays.stream(list).forEach(inputs::set);
        while (inputs.cardinality() < k) {
            inputs.set(inputs.nextClearBit(0));
        }
        return inputs.stream().toArray();
    }

    /** [O/b][k][b][R][S]. */
    private static float[] packed(Op.Weighted op, KeptKernels kept, int[] indices, int k) {
        float[] dense = Tensors.floats(op.weight());
        int taps = dense.length / (kept.outputs() * kept.inputs());
        float[] packed = new float[kept.outputs() * k * taps];
        int at = 0;
        for (int group = 0; group < kept.indices().length; group++) {
            for (int i = group * k; i < (group + 1) * k; i++) {
                for (int o = group * kept.share(); o < (group + 1) * kept.share(); o++, at += taps) {
                    System.arraycopy(dense, (o * kept.inputs() + indices[i]) * taps, packed, at, taps);
                }
            }
        }
        return packed;
    }
}
