package org.kofn.runtime;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.cuda.CUDAGuard;
import org.bytedeco.pytorch.global.torch_cuda;
import org.kofn.torch.CudaMath;

/**
 * An inference under way on one thread. On a GPU its device is current, its work goes to LibTorch's current stream, and
 * LibTorch rounds no more than the precision allows.
 */
final class Session implements AutoCloseable {
    private static final Session ON_CPU = new Session(null, null, null);

    private final CUDAGuard guard;
    private final CudaMath.Setting math;
    private final Pointer stream;

    private Session(CUDAGuard guard, CudaMath.Setting math, Pointer stream) {
        this.guard = guard;
        this.math = math;
        this.stream = stream;
    }

    /** Where nothing has to be set. */
    static Session onCpu() {
        return ON_CPU;
    }

    /** On a GPU; where {@code device} is none, kernels are emulated, and LibTorch runs on the CPU beside them. */
    static Session onCuda(Device device, boolean tf32) {
        CudaMath.Setting setting = CudaMath.of(tf32);
        if (!device.is_cuda()) {
            return new Session(null, setting, null);
        }
        CUDAGuard guard = new CUDAGuard(device.index());
        return new Session(guard, setting, torch_cuda.getCurrentCUDAStream(device.index()).stream());
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
        if (math != null) {
            math.close();
        }
        if (guard != null) {
            guard.close();
        }
    }
}
