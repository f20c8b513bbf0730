package org.kofn.torch;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.pytorch.cuda.CUDAGuard;
import org.bytedeco.pytorch.global.torch_cuda;

/** What CUDA's run-time library tells of a device, and its clock. Only where {@link Devices#cudaAvailable} says so. */
public final class CudaDevice {
    private CudaDevice() {}

    /** Name, architecture, multiprocessors and memory, in one line. */
    public static String describe(int index) {
        try (PointerScope scope = new PointerScope();
                CUDAGuard guard = new CUDAGuard((byte) index)) {
            cudaDeviceProp properties = properties(index);
            SizeTPointer free = new SizeTPointer(1);
            SizeTPointer total = new SizeTPointer(1);
            check(cudart.cudaMemGetInfo(free, total));
            return String.format(
                    "%s, sm_%d%d, %d multiprocessors, %d of %d MiB free, L2 %d MiB",
                    properties.name().getString(),
                    properties.major(),
                    properties.minor(),
                    properties.multiProcessorCount(),
                    free.get() >> 20,
                    total.get() >> 20,
                    properties.l2CacheSize() >> 20);
        }
    }

    /** Waits until the current device has done all that it was asked for. */
    public static void synchronize() {
        check(cudart.cudaDeviceSynchronize());
    }

    /** The GPU's name. */
    public static String name(int index) {
        try (PointerScope scope = new PointerScope()) {
            return properties(index).name().getString();
        }
    }

    /** The GPU's architecture, such as {@code sm_90}. */
    public static String architecture(int index) {
        try (PointerScope scope = new PointerScope()) {
            cudaDeviceProp properties = properties(index);
            return "sm_" + properties.major() + properties.minor();
        }
    }

    /** Bytes of its memory that are taken, by whomever. */
    public static long usedBytes(int index) {
        try (PointerScope scope = new PointerScope();
                CUDAGuard guard = new CUDAGuard((byte) index)) {
            SizeTPointer free = new SizeTPointer(1);
            SizeTPointer total = new SizeTPointer(1);
            check(cudart.cudaMemGetInfo(free, total));
            return total.get() - free.get();
        }
    }

    private static cudaDeviceProp properties(int index) {
        cudaDeviceProp properties = new cudaDeviceProp();
        check(cudart.cudaGetDeviceProperties(properties, index));
        return properties;
    }

    /**
     * How long the GPU works on what {@code work} enqueues on LibTorch's current stream.
     *
     * @return milliseconds, by CUDA's events, to half a microsecond
     */
    public static double milliseconds(Runnable work) {
        try (PointerScope scope = new PointerScope()) {
            CUevent_st start = new CUevent_st();
            CUevent_st end = new CUevent_st();
            check(cudart.cudaEventCreate(start));
            check(cudart.cudaEventCreate(end));
            check(cudart.cudaEventRecord(start, torch_cuda.getCurrentCUDAStream().stream()));
            work.run();
            check(cudart.cudaEventRecord(end, torch_cuda.getCurrentCUDAStream().stream()));
            check(cudart.cudaEventSynchronize(end));
            float[] elapsed = new float[1];
            check(cudart.cudaEventElapsedTime(elapsed, start, end));
            check(cudart.cudaEventDestroy(start));
            check(cudart.cudaEventDestroy(end));
            return elapsed[0];
        }
    }

    private static void check(int status) {
        if (status != cudart.cudaSuccess) {
            throw new IllegalStateException(
                    "CUDA: " + cudart.cudaGetErrorString(status).getString());
        }
    }
}
