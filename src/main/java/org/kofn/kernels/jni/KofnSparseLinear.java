package org.kofn.kernels.jni;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
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
 * The C interface of {@code cuda/sparse_linear/sparse_linear.h}, word for word; that header says what everything means.
 * The library is built where there was a C++ compiler; without it this class does not initialise.
 */
@Platform(include = "sparse_linear/sparse_linear.h", link = "kofn_cpu", library = "jnikofn_sparse_linear")
public final class KofnSparseLinear {
    static {
        Loader.load();
    }

    private KofnSparseLinear() {}

    /** {@code kofn_linear}. */
    @Name("kofn_linear")
    public static final class Linear extends Pointer {
        static {
            Loader.load();
        }

        /** A layer, every field to be set. */
        public Linear() {
            allocate();
        }

        private native void allocate();

        /** n. */
        @MemberSetter
        public native Linear inputs(int n);

        /** O. */
        @MemberSetter
        public native Linear outputs(int o);

        /** b. */
        @MemberSetter
        public native Linear share(int b);

        /** k. */
        @MemberSetter
        public native Linear kept(int k);

        /** {@code kofn_activation}. */
        @MemberSetter
        public native Linear activation(int activation);

        /** The lists. */
        @MemberSetter
        public native Linear indices(@Const IntPointer indices);

        /** The kept weights. */
        @MemberSetter
        public native Linear weights(@Const FloatPointer weights);

        /** The bias. */
        @MemberSetter
        public native Linear bias(@Const FloatPointer bias);
    }

    /** {@code kofn_linear_plan}. */
    @Opaque
    @Name("kofn_linear_plan")
    public static final class Plan extends Pointer {
        /** The plan at an address. */
        public Plan(Pointer address) {
            super(address);
        }
    }

    /** Makes a plan. */
    @Name("kofn_cpu_linear_open")
    public static native int open(
            @Const Linear linear,
            int batch,
            int precision,
            int threads,
            @Cast("kofn_linear_plan**") PointerPointer<Plan> plan);

    /** Frees a plan. */
    @Name("kofn_cpu_linear_close")
    public static native void close(Plan plan);

    /** Floats of scratch memory of a run. */
    @Name("kofn_cpu_linear_workspace")
    public static native @Cast("int64_t") long workspace(@Const Plan plan);

    /** Bytes that a plan holds. */
    @Name("kofn_cpu_linear_bytes")
    public static native @Cast("int64_t") long bytes(@Const Plan plan);

    /** What was chosen. */
    @Name("kofn_cpu_linear_describe")
    public static native @Cast("const char*") BytePointer describe(@Const Plan plan);

    /** Runs. */
    @Name("kofn_cpu_linear_run")
    public static native int run(
            @Const Plan plan,
            @Const Pointer input,
            Pointer output,
            @Const Pointer residual,
            FloatPointer workspace,
            int threads);
}
