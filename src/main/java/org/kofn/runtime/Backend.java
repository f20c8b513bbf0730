package org.kofn.runtime;

import org.bytedeco.pytorch.Device;
import org.kofn.base.KofnException;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.Precision;

/**
 * What differs between processors when a network runs: the plans of the sparse kernels, how values lie in memory, and
 * where the tensors of LibTorch's operations are. A backend serves one {@link SparseNetwork}, which closes it.
 */
public abstract sealed class Backend implements AutoCloseable permits CpuBackend, CudaBackend {
    private final Device device;
    private final Precision precision;
    private final int threads;

    /** A backend; {@code threads} is 0 on a GPU. */
    Backend(Device device, Precision precision, int threads) {
        this.device = device;
        this.precision = precision;
        this.threads = threads;
    }

    /**
     * The backend of a device.
     *
     * @param device has to stay open as long
     * @param threads that one inference uses on a CPU
     * @throws KofnException (usage) for a precision that the device does not have
     */
    public static Backend of(Device device, Precision precision, int threads) {
        requireKnown(device, precision);
        return device.is_cuda() ? new CudaBackend(device, precision) : ofCpu(precision, threads);
    }

    /** The CPU, fp32 or bf16, with so many threads. */
    public static Backend ofCpu(Precision precision, int threads) {
        return new CpuBackend(precision, threads);
    }

    /** @throws KofnException (usage) for a precision that a device does not have */
    public static void requireKnown(Device device, Precision precision) {
        if (precision == Precision.TF32 && !device.is_cuda()) {
            throw KofnException.usage("--precision %s: is for NVIDIA GPUs; a CPU has fp32 and bf16", precision);
        }
    }

    /** Whether the sparse kernels of a device are there; otherwise LibTorch computes all. */
    public static boolean available(Device device) {
        return device.is_cuda()
                ? NativeLibrary.cuda().loads()
                : NativeLibrary.sparse().loads();
    }

    /** Where values are. */
    public final Device device() {
        return device;
    }

    /** In what they are stored and multiplied. */
    public final Precision precision() {
        return precision;
    }

    /** What LibTorch's operations read and write: on a CPU fp32, whatever the sparse kernels store. */
    final Precision torchPrecision() {
        return pads() ? Precision.FP32 : precision;
    }

    /** So many compute an inference; 0 on a GPU. */
    public final int threads() {
        return threads;
    }

    /** A layer as it is run here: what the dispatcher decides about. */
    public final LayerCase layerCase(LayerShape shape, int batch) {
        return new LayerCase(shape, batch, threads, precision);
    }

    /** Images that run together at most, so that memory does not grow with batches. */
    public abstract int piece();

    /** Whether the sparse kernels are there. */
    abstract boolean available();

    /** Whether convolutions read and write {@link PaddedLayout}s; otherwise all values are as LibTorch has them. */
    abstract boolean pads();

    /**
     * The break-even density of layers whose kernel is the faster one by its nature; null for all others, about which
     * measurements decide.
     */
    BreakEven certain(Op.Weighted op) {
        return null;
    }

    /** The plan of a convolution between two values. */
    abstract NativePlan convolution(Op.Conv op, Buffer input, Buffer output);

    /** The plan of a linear layer for a size of batch. */
    abstract NativePlan linear(Op.Linear op, int batch);

    /** An operation with its tensors where LibTorch needs them; they belong to this backend or to the operation. */
    abstract Op placed(Op op);

    /** The same for an inference that computes on so many of the threads; belongs to this one. */
    abstract Backend share(int threads);

    /** Begins an inference on this thread; whoever begins it ends it. */
    final Session begin() {
        return Session.on(device);
    }

    @Override
    public abstract void close();
}
