package org.kofn.kernels.jni;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Opaque;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The C interface of {@code cuda/sparse_conv/sparse_conv_backward.h}, word for word; that header says what everything
 * means.
 */
@Platform(include = "sparse_conv/sparse_conv_backward.h", link = "kofn_cpu", library = "jnikofn_sparse_conv_backward")
public final class KofnSparseConvBackward {
    static {
        Loader.load();
    }

    private KofnSparseConvBackward() {}

    /** {@code kofn_conv_backward}. */
    @Opaque
    @Name("kofn_conv_backward")
    public static final class Plan extends Pointer {
        /** The plan at an address. */
        public Plan(Pointer address) {
            super(address);
        }
    }

    /** Makes a plan. */
    @Name("kofn_cpu_conv_backward_open")
    public static native int open(
            @Const KofnSparseConv.Convolution convolution,
            @Const KofnSparseConv.PaddedTensor input,
            @Const KofnSparseConv.PaddedTensor output,
            int threads,
            @Cast("kofn_conv_backward**") PointerPointer<Plan> plan);

    /** Frees a plan. */
    @Name("kofn_cpu_conv_backward_close")
    public static native void close(Plan plan);

    /** Floats of scratch memory of {@link #data}. */
    @Name("kofn_cpu_conv_backward_data_workspace")
    public static native @Cast("int64_t") long dataWorkspace(@Const Plan plan);

    /** Floats of scratch memory of {@link #weights}. */
    @Name("kofn_cpu_conv_backward_weights_workspace")
    public static native @Cast("int64_t") long weightsWorkspace(@Const Plan plan);

    /** What was chosen. */
    @Name("kofn_cpu_conv_backward_describe")
    public static native @Cast("const char*") BytePointer describe(@Const Plan plan);

    /** The gradient of the data. */
    @Name("kofn_cpu_conv_backward_data")
    public static native int data(
            @Const Plan plan,
            @Const FloatPointer weights,
            @Const FloatPointer gradOutput,
            FloatPointer gradInput,
            FloatPointer workspace,
            int threads);

    /** The gradients of the kept kernels and the bias. */
    @Name("kofn_cpu_conv_backward_weights")
    public static native int weights(
            @Const Plan plan,
            @Const FloatPointer input,
            @Const FloatPointer gradOutput,
            FloatPointer gradWeights,
            FloatPointer gradBias,
            FloatPointer workspace,
            int threads);
}
