package org.kofn.kernels.jni;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.MemberSetter;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The C interface of {@code cuda/gumbel_topk/gumbel_topk.h}, word for word; that header says what everything means. The
 * library is built where there was a C++ compiler; without it this class does not initialise.
 */
@Platform(include = "gumbel_topk/gumbel_topk.h", link = "kofn_cpu", library = "jnikofn_cpu")
public final class KofnCpu {
    static {
        Loader.load();
    }

    private KofnCpu() {}

    /** {@code kofn_layer}, or an array of them. Setters only: what the table says is decided in Java. */
    @Name("kofn_layer")
    public static final class Layer extends Pointer {
        static {
            Loader.load();
        }

        /** An array of layers, every field zero. */
        public Layer(long size) {
            allocateArray(size);
            Pointer.memset(this, 0, size * sizeof());
        }

        private native void allocateArray(long size);

        /** This pointer, at another layer of the array. */
        public Layer at(long row) {
            super.position(row);
            return this;
        }

        /** Size of a group axis. */
        @MemberSetter
        @Name("layout.group_sizes")
        public native Layer groupSize(int axis, @Cast("int64_t") long size);

        /** Stride of a group axis, in weights. */
        @MemberSetter
        @Name("layout.group_strides")
        public native Layer groupStride(int axis, @Cast("int64_t") long stride);

        /** n. */
        @MemberSetter
        @Name("layout.candidates")
        public native Layer candidates(@Cast("int64_t") long n);

        /** Stride from candidate to candidate. */
        @MemberSetter
        @Name("layout.candidate_stride")
        public native Layer candidateStride(@Cast("int64_t") long stride);

        /** Size of an element axis. */
        @MemberSetter
        @Name("layout.element_sizes")
        public native Layer elementSize(int axis, @Cast("int64_t") long size);

        /** Stride of an element axis. */
        @MemberSetter
        @Name("layout.element_strides")
        public native Layer elementStride(int axis, @Cast("int64_t") long stride);

        /** k. */
        @MemberSetter
        public native Layer kept(@Cast("int64_t") long k);

        /** The layer's number in the random counter. */
        @MemberSetter
        public native Layer index(@Cast("uint32_t") int index);

        /** {@code kofn_type} of the effective weight. */
        @MemberSetter
        @Name("effective_type")
        public native Layer effectiveType(int type);

        /** φ. */
        @MemberSetter
        public native Layer logits(@Cast("const float*") Pointer data);

        /** W. */
        @MemberSetter
        public native Layer latent(@Cast("const float*") Pointer data);

        /** M ⊙ W. */
        @MemberSetter
        public native Layer effective(@Cast("void*") Pointer data);

        /** M as bytes. */
        @MemberSetter
        public native Layer mask(@Cast("uint8_t*") Pointer data);

        /** M as bits. */
        @MemberSetter
        public native Layer bits(@Cast("uint32_t*") Pointer data);

        /** The kept candidates. */
        @MemberSetter
        public native Layer indices(@Cast("int32_t*") Pointer data);

        /** ∂L/∂Weff. */
        @MemberSetter
        @Name("effective_gradient")
        public native Layer effectiveGradient(@Cast("const void*") Pointer data);

        /** ∂L/∂W, or null. */
        @MemberSetter
        @Name("latent_gradient")
        public native Layer latentGradient(@Cast("float*") Pointer data);

        /** ∂L/∂φ. */
        @MemberSetter
        @Name("logit_gradient")
        public native Layer logitGradient(@Cast("float*") Pointer data);
    }

    /** {@code kofn_draw}. */
    @Name("kofn_draw")
    public static final class Draw extends Pointer {
        static {
            Loader.load();
        }

        /** A draw, every field to be set. */
        public Draw() {
            allocate();
        }

        private native void allocate();

        /** The Philox key. */
        @MemberSetter
        public native Draw seed(@Cast("uint64_t") long seed);

        /** The training step. */
        @MemberSetter
        public native Draw step(@Cast("uint32_t") int step);

        /** τ. */
        @MemberSetter
        public native Draw temperature(float temperature);

        /** s. */
        @MemberSetter
        public native Draw noise(float noise);

        /** β. */
        @MemberSetter
        public native Draw entropy(float entropy);

        /** Whether dropped weights have a gradient. */
        @MemberSetter
        @Name("dense_gradient")
        public native Draw denseGradient(int dense);
    }

    /** Samples. */
    @Name("kofn_cpu_sample")
    public static native int sample(@Const Layer layers, int count, @Const Draw draw, int threads);

    /** Gradients of the last sample. */
    @Name("kofn_cpu_sample_backward")
    public static native int sampleBackward(@Const Layer layers, int count, @Const Draw draw, int threads);

    /** M ⊙ W. */
    @Name("kofn_cpu_apply")
    public static native int apply(@Const Layer layers, int count, int threads);

    /** Its gradient. */
    @Name("kofn_cpu_apply_backward")
    public static native int applyBackward(@Const Layer layers, int count, int dense, int threads);

    /** The variant that runs. */
    @Name("kofn_cpu_variant")
    public static native @Cast("const char*") BytePointer variant();

    /** Makes a variant run; 0 if there is none of that name for this processor. */
    @Name("kofn_cpu_use_variant")
    public static native int useVariant(@Cast("const char*") BytePointer name);
}
