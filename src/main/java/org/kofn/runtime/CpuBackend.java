package org.kofn.runtime;

import org.bytedeco.pytorch.Device;
import org.kofn.kernels.Precision;
import org.kofn.torch.Tensors;

/** The CPU: convolutions in padded planes or sixteen images innermost, several threads. */
final class CpuBackend extends Backend {
    /** As many as the kernels have lanes. */
    private static final int PIECE = 16;

    private static final Device CPU = Tensors.keep(new Device("cpu"));

    /** A backend of so many threads. */
    CpuBackend(Precision precision, int threads) {
        super(CPU, precision, threads);
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads");
        }
    }

    @Override
    public int piece() {
        return PIECE;
    }

    @Override
    boolean available() {
        return available(device());
    }

    @Override
    boolean pads() {
        return true;
    }

    @Override
    NativePlan convolution(Op.Conv op, Buffer input, Buffer output) {
        return new NativeConvolution(op, input.padded(), output.padded(), threads());
    }

    @Override
    NativePlan linear(Op.Linear op, int batch) {
        return new NativeLinear(op, batch, precision(), threads());
    }

    @Override
    Backend share(int threads) {
        return new CpuBackend(precision(), threads);
    }

    /** Prepared networks are on the CPU. */
    @Override
    Op placed(Op op) {
        return op;
    }

    @Override
    public void close() {}
}
