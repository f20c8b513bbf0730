package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/** A layer made ready for one size of batch by the native kernels: weights and lists in the order they are read. */
sealed interface NativePlan extends AutoCloseable
        permits NativeConvolution, NativeLinear, CudaConvolution, CudaLinear, CudaTwoFour {
    /** Everything that the runtime passes was checked before, so that another status is a bug. */
    static void check(String what, int status) {
        if (status != 0) {
            throw new IllegalStateException(what + ": the native kernels refuse it with status " + status);
        }
    }

    /**
     * Runs, on a GPU asynchronously.
     *
     * @param residual may be null, as may {@code workspace} where none is needed
     * @param stream a {@code cudaStream_t}; null on a CPU, and for CUDA's default stream
     */
    void run(FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, Pointer stream);

    /** Bytes of scratch memory that a run needs. */
    long workspaceBytes();

    /** Bytes of packed weights and lists. */
    long bytes();

    /** The loops that were chosen. */
    String describe();

    @Override
    void close();
}
