package org.kofn.bench;

import java.util.function.LongSupplier;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.cuda.CUDAGuard;
import org.kofn.torch.CudaDevice;

/** Measures how long work takes on a device. */
@FunctionalInterface
public interface Stopwatch {

    /** Does the work, to its end, and returns how long that took. */
    double milliseconds(Runnable work);

    /**
     * The stopwatch for a device: the machine's clock on the CPU; on a GPU, where calls return before their work is
     * done, CUDA's events around it, which also wait for it.
     */
    static Stopwatch of(Device device) {
        if (!device.is_cuda()) {
            return wall(System::nanoTime);
        }
        byte index = device.index();
        return work -> {
            try (CUDAGuard guard = new CUDAGuard(index)) {
                return CudaDevice.milliseconds(work);
            }
        };
    }

    /** A stopwatch that looks at a clock before and after. */
    static Stopwatch wall(LongSupplier nanoseconds) {
        return work -> {
            long start = nanoseconds.getAsLong();
            work.run();
            return (nanoseconds.getAsLong() - start) / 1e6;
        };
    }
}
