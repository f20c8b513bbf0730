package org.kofn.runtime;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.cuda.CUDAGuard;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * An inference under way on one thread. On a GPU its device is current meanwhile, and its work goes to LibTorch's
 * current stream.
 */
final class Session implements AutoCloseable {
    private static final Session ON_CPU = new Session(null, null);

    private final CUDAGuard guard;
    private final Pointer stream;

    private Session(CUDAGuard guard, Pointer stream) {
        this.guard = guard;
        this.stream = stream;
    }

    /** On a CPU nothing has to be set; nor where it emulates a GPU's kernels. */
    static Session on(Device device) {
        if (!device.is_cuda()) {
            return ON_CPU;
        }
        CUDAGuard guard = new CUDAGuard(device.index());
        return new Session(guard, torch_cuda.getCurrentCUDAStream(device.index()).stream());
    }

    /** The {@code cudaStream_t}; null on a CPU, and for CUDA's default stream. */
    Pointer stream() {
        return stream;
    }

    /** Work with equal numbers is done in the order in which it is given. */
    long order() {
        return stream == null ? 0 : stream.address();
    }

    @Override
    public void close() {
        if (guard != null) {
            guard.close();
        }
    }
}
