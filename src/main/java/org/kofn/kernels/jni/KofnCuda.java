package org.kofn.kernels.jni;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Opaque;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The CUDA half of {@code cuda/gumbel_topk/gumbel_topk.h}. The library is built where there was an nvcc, and used where
 * there is a driver.
 */
@Platform(include = "gumbel_topk/gumbel_topk.h", link = "kofn_cuda", library = "jnikofn_cuda")
public final class KofnCuda {
    static {
        Loader.load();
    }

    private KofnCuda() {}

    /** {@code kofn_cuda_context}: what the calls on one GPU need besides tensors. */
    @Opaque
    @Name("kofn_cuda_context")
    public static final class Context extends Pointer {
        /** None yet. */
        public Context() {
            super((Pointer) null);
        }
    }

    /** A context on the current device; null if that fails. */
    @Name("kofn_cuda_open")
    public static native Context open();

    /** Releases a context. */
    @Name("kofn_cuda_close")
    public static native void close(Context context);

    /** Samples. */
    @Name("kofn_cuda_sample")
    public static native int sample(
            Context context, @Const KofnCpu.Layer layers, int count, @Const KofnCpu.Draw draw, Pointer stream);

    /** Gradients of the last sample. */
    @Name("kofn_cuda_sample_backward")
    public static native int sampleBackward(
            Context context, @Const KofnCpu.Layer layers, int count, @Const KofnCpu.Draw draw, Pointer stream);

    /** M ⊙ W. */
    @Name("kofn_cuda_apply")
    public static native int apply(Context context, @Const KofnCpu.Layer layers, int count, Pointer stream);

    /** Its gradient. */
    @Name("kofn_cuda_apply_backward")
    public static native int applyBackward(
            Context context, @Const KofnCpu.Layer layers, int count, int dense, Pointer stream);

    /** What the samples that have ended reported. */
    @Name("kofn_cuda_status")
    public static native int status(Context context, int wait, Pointer stream);

    /** The words of the last CUDA error. */
    @Name("kofn_cuda_error")
    public static native @Cast("const char*") BytePointer error();
}
