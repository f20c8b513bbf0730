package org.kofn.kernels.jni;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.MemberSetter;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Opaque;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The C interfaces of {@code cuda/sparse_conv/sparse_conv_cuda.h}, {@code sparse_conv_backward_cuda.h} beside it,
 * {@code cuda/sparse_linear/sparse_linear_cuda.h} and {@code cuda/two_four/two_four.h}, word for word; those headers
 * say what everything means. Layers are described as for the CPU, but for those that keep two of every four. The
 * library is built where there was an nvcc, and used where there is a driver.
 */
@Platform(
        include = {
            "sparse_conv/sparse_conv_cuda.h",
            "sparse_conv/sparse_conv_backward_cuda.h",
            "sparse_linear/sparse_linear_cuda.h",
            "two_four/two_four.h"
        },
        link = "kofn_cuda",
        library = "jnikofn_sparse_cuda")
public final class KofnSparseCuda {
    static {
        Loader.load();
    }

    private KofnSparseCuda() {}

    /** {@code kofn_two_four}. */
    @Name("kofn_two_four")
    public static final class TwoFour extends Pointer {
        static {
            Loader.load();
        }

        /** A layer, every field to be set. */
        public TwoFour() {
            allocate();
        }

        private native void allocate();

        /** n. */
        @MemberSetter
        public native TwoFour inputs(int n);

        /** O. */
        @MemberSetter
        public native TwoFour outputs(int o);

        /** N. */
        @MemberSetter
        public native TwoFour batch(int images);

        /** P. */
        @MemberSetter
        public native TwoFour pixels(int pixels);

        /** {@code kofn_activation}. */
        @MemberSetter
        public native TwoFour activation(int activation);

        /** The kept weights. */
        @MemberSetter
        public native TwoFour values(@Const FloatPointer values);

        /** Where they are. */
        @MemberSetter
        public native TwoFour places(@Cast("const uint8_t*") BytePointer places);

        /** The bias. */
        @MemberSetter
        public native TwoFour bias(@Const FloatPointer bias);
    }

    /** {@code kofn_cuda_conv_plan}. */
    @Opaque
    @Name("kofn_cuda_conv_plan")
    public static final class ConvolutionPlan extends Pointer {
        /** The plan at an address. */
        public ConvolutionPlan(Pointer address) {
            super(address);
        }
    }

    /** {@code kofn_cuda_conv_backward}. */
    @Opaque
    @Name("kofn_cuda_conv_backward")
    public static final class BackwardPlan extends Pointer {
        /** The plan at an address. */
        public BackwardPlan(Pointer address) {
            super(address);
        }
    }

    /** {@code kofn_cuda_linear_plan}. */
    @Opaque
    @Name("kofn_cuda_linear_plan")
    public static final class LinearPlan extends Pointer {
        /** The plan at an address. */
        public LinearPlan(Pointer address) {
            super(address);
        }
    }

    /** {@code kofn_cuda_two_four_plan}. */
    @Opaque
    @Name("kofn_cuda_two_four_plan")
    public static final class TwoFourPlan extends Pointer {
        /** The plan at an address. */
        public TwoFourPlan(Pointer address) {
            super(address);
        }
    }

    /** Makes a plan. */
    @Name("kofn_cuda_conv_open")
    public static native int open(
            @Const KofnSparseConv.Convolution convolution,
            int batch,
            int precision,
            @Cast("kofn_cuda_conv_plan**") PointerPointer<ConvolutionPlan> plan);

    /** Frees a plan. */
    @Name("kofn_cuda_conv_close")
    public static native void close(ConvolutionPlan plan);

    /** Bytes of scratch memory of a run. */
    @Name("kofn_cuda_conv_workspace")
    public static native @Cast("int64_t") long workspace(@Const ConvolutionPlan plan);

    /** Bytes that a plan holds. */
    @Name("kofn_cuda_conv_bytes")
    public static native @Cast("int64_t") long bytes(@Const ConvolutionPlan plan);

    /** What was chosen. */
    @Name("kofn_cuda_conv_describe")
    public static native @Cast("const char*") BytePointer describe(@Const ConvolutionPlan plan);

    /** Runs. */
    @Name("kofn_cuda_conv_run")
    public static native int run(
            @Const ConvolutionPlan plan,
            @Const Pointer input,
            Pointer output,
            @Const Pointer residual,
            Pointer workspace,
            Pointer stream);

    /** Other values for the same lists. */
    @Name("kofn_cuda_conv_set_weights")
    public static native int setWeights(ConvolutionPlan plan, @Const FloatPointer weights, Pointer stream);

    /** Makes a plan of the gradients. */
    @Name("kofn_cuda_conv_backward_open")
    public static native int backwardOpen(
            @Const KofnSparseConv.Convolution convolution,
            int batch,
            int precision,
            @Cast("kofn_cuda_conv_backward**") PointerPointer<BackwardPlan> plan);

    /** Frees a plan. */
    @Name("kofn_cuda_conv_backward_close")
    public static native void backwardClose(BackwardPlan plan);

    /** Bytes of scratch memory of the data's gradient. */
    @Name("kofn_cuda_conv_backward_data_workspace")
    public static native @Cast("int64_t") long dataWorkspace(@Const BackwardPlan plan);

    /** Bytes of scratch memory of the weights' gradient. */
    @Name("kofn_cuda_conv_backward_weights_workspace")
    public static native @Cast("int64_t") long weightsWorkspace(@Const BackwardPlan plan);

    /** The gradient of the data. */
    @Name("kofn_cuda_conv_backward_data")
    public static native int backwardData(
            @Const BackwardPlan plan,
            @Const FloatPointer weights,
            @Const Pointer gradOutput,
            Pointer gradInput,
            Pointer workspace,
            Pointer stream);

    /** The gradients of the kept kernels and the bias. */
    @Name("kofn_cuda_conv_backward_weights")
    public static native int backwardWeights(
            @Const BackwardPlan plan,
            @Const Pointer input,
            @Const Pointer gradOutput,
            FloatPointer gradWeights,
            FloatPointer gradBias,
            Pointer workspace,
            Pointer stream);

    /** Makes a plan. */
    @Name("kofn_cuda_linear_open")
    public static native int open(
            @Const KofnSparseLinear.Linear linear,
            int batch,
            int precision,
            @Cast("kofn_cuda_linear_plan**") PointerPointer<LinearPlan> plan);

    /** Frees a plan. */
    @Name("kofn_cuda_linear_close")
    public static native void close(LinearPlan plan);

    /** Bytes that a plan holds. */
    @Name("kofn_cuda_linear_bytes")
    public static native @Cast("int64_t") long bytes(@Const LinearPlan plan);

    /** What was chosen. */
    @Name("kofn_cuda_linear_describe")
    public static native @Cast("const char*") BytePointer describe(@Const LinearPlan plan);

    /** Runs. */
    @Name("kofn_cuda_linear_run")
    public static native int run(
            @Const LinearPlan plan, @Const Pointer input, Pointer output, @Const Pointer residual, Pointer stream);

    /** Makes a plan. */
    @Name("kofn_cuda_two_four_open")
    public static native int open(
            @Const TwoFour layer, int precision, @Cast("kofn_cuda_two_four_plan**") PointerPointer<TwoFourPlan> plan);

    /** Frees a plan. */
    @Name("kofn_cuda_two_four_close")
    public static native void close(TwoFourPlan plan);

    /** Bytes that a plan holds. */
    @Name("kofn_cuda_two_four_bytes")
    public static native @Cast("int64_t") long bytes(@Const TwoFourPlan plan);

    /** What was chosen. */
    @Name("kofn_cuda_two_four_describe")
    public static native @Cast("const char*") BytePointer describe(@Const TwoFourPlan plan);

    /** Runs. */
    @Name("kofn_cuda_two_four_run")
    public static native int run(
            @Const TwoFourPlan plan, @Const Pointer input, Pointer output, @Const Pointer residual, Pointer stream);
}
