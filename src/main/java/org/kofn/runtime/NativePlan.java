package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.kofn.kernels.NativeLibrary;

/** A layer made ready for one size of batch by the native kernels: weights and lists in the order they are read. */
sealed interface NativePlan extends AutoCloseable permits NativeConvolution, NativeLinear {
    /** Whether the native kernels are there. */
    static boolean available() {
        return NativeLibrary.sparse().loads();
    }

    /** Everything that the runtime passes was checked before, so that another status is a bug. */
    static void check(String what, int status) {
        if (status != 0) {
            throw new IllegalStateException(what + ": the native kernels refuse it with status " + status);
        }
    }

    /**
     * Runs; {@code residual} and {@code workspace} may be null where there is none. Values are in the plan's storage.
     */
    void run(Pointer input, Pointer output, Pointer residual, FloatPointer workspace, int threads);

    /** Bytes of scratch memory that a run needs. */
    long workspaceBytes();

    /** Bytes of packed weights and lists. */
    long bytes();

    /** The loops that were chosen. */
    String describe();

    @Override
    void close();
}
