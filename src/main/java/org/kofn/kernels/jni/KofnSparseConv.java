package org.kofn.kernels.jni;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.MemberGetter;
import org.bytedeco.javacpp.annotation.MemberSetter;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Opaque;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The C interfaces of {@code cuda/sparse_conv/sparse_conv.h} and {@code cuda/pooling/pooling.h}, word for word; those
 * headers say what everything means. The library is built where there was a C++ compiler; without it this class does
 * not initialise.
 */
@Platform(
        include = {"sparse_conv/sparse_conv.h", "pooling/pooling.h"},
        link = "kofn_cpu",
        library = "jnikofn_sparse_conv")
public final class KofnSparseConv {
    static {
        Loader.load();
    }

    private KofnSparseConv() {}

    /** {@code kofn_tensor}. */
    @Name("kofn_tensor")
    public static final class PaddedTensor extends Pointer {
        static {
            Loader.load();
        }

        /** A tensor, every field to be set. */
        public PaddedTensor() {
            allocate();
        }

        private native void allocate();

        /** {@code kofn_form}. */
        @MemberSetter
        public native PaddedTensor form(int form);

        /** Images. */
        @MemberSetter
        public native PaddedTensor batch(int images);

        /** Feature maps. */
        @MemberSetter
        public native PaddedTensor channels(int maps);

        /** Rows. */
        @MemberSetter
        public native PaddedTensor height(int rows);

        /** Columns. */
        @MemberSetter
        public native PaddedTensor width(int columns);

        /** Zeros on each side. */
        @MemberSetter
        public native PaddedTensor halo(int zeros);

        /** {@code kofn_precision}. */
        @MemberSetter
        public native PaddedTensor precision(int precision);
    }

    /** {@code kofn_strides}. */
    @Name("kofn_strides")
    public static final class Strides extends Pointer {
        static {
            Loader.load();
        }

        /** Strides, to be filled in. */
        public Strides() {
            allocate();
        }

        private native void allocate();

        /** The size of the memory, in elements. */
        @MemberGetter
        public native @Cast("int64_t") long elements();
    }

    /** {@code kofn_conv}. */
    @Name("kofn_conv")
    public static final class Convolution extends Pointer {
        static {
            Loader.load();
        }

        /** A convolution, every field to be set. */
        public Convolution() {
            allocate();
        }

        private native void allocate();

        /** n. */
        @MemberSetter
        public native Convolution inputs(int n);

        /** O. */
        @MemberSetter
        public native Convolution outputs(int o);

        /** Rows of the input. */
        @MemberSetter
        public native Convolution height(int rows);

        /** Columns of the input. */
        @MemberSetter
        public native Convolution width(int columns);

        /** R. */
        @MemberSetter
        public native Convolution rows(int r);

        /** S. */
        @MemberSetter
        public native Convolution columns(int s);

        /** Stride of rows. */
        @MemberSetter
        @Name("stride_rows")
        public native Convolution strideRows(int stride);

        /** Stride of columns. */
        @MemberSetter
        @Name("stride_columns")
        public native Convolution strideColumns(int stride);

        /** Zeros above and below. */
        @MemberSetter
        @Name("padding_rows")
        public native Convolution paddingRows(int zeros);

        /** Zeros left and right. */
        @MemberSetter
        @Name("padding_columns")
        public native Convolution paddingColumns(int zeros);

        /** b. */
        @MemberSetter
        public native Convolution share(int b);

        /** k. */
        @MemberSetter
        public native Convolution kept(int k);

        /** {@code kofn_activation}. */
        @MemberSetter
        public native Convolution activation(int activation);

        /** The lists. */
        @MemberSetter
        public native Convolution indices(@Const IntPointer indices);

        /** The kept kernels. */
        @MemberSetter
        public native Convolution weights(@Const FloatPointer weights);

        /** The bias. */
        @MemberSetter
        public native Convolution bias(@Const FloatPointer bias);
    }

    /** {@code kofn_conv_plan}. */
    @Opaque
    @Name("kofn_conv_plan")
    public static final class Plan extends Pointer {
        /** The plan at an address. */
        public Plan(Pointer address) {
            super(address);
        }
    }

    /** {@code kofn_pool}. */
    @Name("kofn_pool")
    public static final class Pool extends Pointer {
        static {
            Loader.load();
        }

        /** A window, every field to be set. */
        public Pool() {
            allocate();
        }

        private native void allocate();

        /** {@code kofn_pool_kind}. */
        @MemberSetter
        public native Pool kind(int kind);

        /** R. */
        @MemberSetter
        public native Pool rows(int r);

        /** S. */
        @MemberSetter
        public native Pool columns(int s);

        /** Stride of rows. */
        @MemberSetter
        @Name("stride_rows")
        public native Pool strideRows(int stride);

        /** Stride of columns. */
        @MemberSetter
        @Name("stride_columns")
        public native Pool strideColumns(int stride);

        /** Pixels above and below. */
        @MemberSetter
        @Name("padding_rows")
        public native Pool paddingRows(int pixels);

        /** Pixels left and right. */
        @MemberSetter
        @Name("padding_columns")
        public native Pool paddingColumns(int pixels);
    }

    /** The form for a batch of planes. */
    @Name("kofn_tensor_form")
    public static native int form(int batch, int width);

    /** Where elements lie. */
    @Name("kofn_tensor_strides")
    public static native int strides(@Const PaddedTensor tensor, Strides strides);

    /** Zeros where there is no element. */
    @Name("kofn_cpu_tensor_clear")
    public static native int clear(@Const PaddedTensor tensor, Pointer data, int threads);

    /** From a plain tensor. */
    @Name("kofn_cpu_tensor_import")
    public static native int importPlain(
            @Const PaddedTensor tensor, @Const FloatPointer plain, Pointer data, int threads);

    /** To a plain tensor. */
    @Name("kofn_cpu_tensor_export")
    public static native int exportPlain(
            @Const PaddedTensor tensor, @Const Pointer data, FloatPointer plain, int threads);

    /** From one form to another. */
    @Name("kofn_cpu_tensor_convert")
    public static native int convert(
            @Const PaddedTensor from, @Const Pointer source, @Const PaddedTensor to, Pointer data, int threads);

    /** Makes a plan. */
    @Name("kofn_cpu_conv_open")
    public static native int open(
            @Const Convolution convolution,
            @Const PaddedTensor input,
            @Const PaddedTensor output,
            int threads,
            @Cast("kofn_conv_plan**") PointerPointer<Plan> plan);

    /** Frees a plan. */
    @Name("kofn_cpu_conv_close")
    public static native void close(Plan plan);

    /** Other values for the same lists. */
    @Name("kofn_cpu_conv_set_weights")
    public static native int setWeights(Plan plan, @Const FloatPointer weights, @Const FloatPointer bias, int threads);

    /** Floats of scratch memory of a run. */
    @Name("kofn_cpu_conv_workspace")
    public static native @Cast("int64_t") long workspace(@Const Plan plan);

    /** Bytes that a plan holds. */
    @Name("kofn_cpu_conv_bytes")
    public static native @Cast("int64_t") long bytes(@Const Plan plan);

    /** What was chosen. */
    @Name("kofn_cpu_conv_describe")
    public static native @Cast("const char*") BytePointer describe(@Const Plan plan);

    /** Runs. */
    @Name("kofn_cpu_conv_run")
    public static native int run(
            @Const Plan plan,
            @Const Pointer input,
            Pointer output,
            @Const Pointer residual,
            FloatPointer workspace,
            int threads);

    /** Pools. */
    @Name("kofn_cpu_pool_run")
    public static native int pool(
            @Const Pool pool,
            @Const PaddedTensor inputTensor,
            @Const Pointer input,
            @Const PaddedTensor outputTensor,
            Pointer output,
            int threads);
}
