package org.kofn.kernels;

import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.cuda.CUDAGuard;
import org.bytedeco.pytorch.global.torch_cuda;

/** Where native calls go on a GPU. */
final class CudaStream {
    private CudaStream() {}

    /**
     * Calls with a device current and its current stream, which is null for CUDA's default stream, and for a device
     * that is none: there kernels are emulated.
     *
     * @return the call's status
     */
    static int call(Device device, ToIntFunction<Pointer> call) {
        if (!device.is_cuda()) {
            return call.applyAsInt(null);
        }
        try (CUDAGuard guard = new CUDAGuard(device.index())) {
            return call.applyAsInt(torch_cuda.getCurrentCUDAStream(device.index()).stream());
        }
    }
}
