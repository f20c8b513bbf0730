package org.kofn.torch;

import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.Float32Backend;
import org.bytedeco.pytorch.global.torch.Float32Op;
import org.bytedeco.pytorch.global.torch.Float32Precision;

/**
 * How LibTorch computes dense operations on GPUs. It may round fp32 factors to tf32, which tensor cores multiply
 * several times faster; left alone it does so in convolutions but not in matrix products, and a comparison has to say
 * which of the two it means. And it may let cuDNN try its algorithms once for each shape, which is worth its time where
 * shapes come again and again.
 */
public final class CudaMath {
    private CudaMath() {}

    /** Allows or forbids tf32, and lets cuDNN try its algorithms, until the result is closed. */
    public static Setting of(boolean tf32) {
        return new Setting(tf32 ? Float32Precision.TF32 : Float32Precision.IEEE);
    }

    /** Holds for the whole process while it is open; then what was before. */
    public static final class Setting implements AutoCloseable {
        private final Float32Precision convolutions = of(Float32Op.CONV);
        private final Float32Precision products = of(Float32Op.MATMUL);
        private final boolean tries = torch.globalContext().benchmarkCuDNN();

        private Setting(Float32Precision precision) {
            set(Float32Op.CONV, precision);
            set(Float32Op.MATMUL, precision);
            torch.globalContext().setBenchmarkCuDNN(true);
        }

        @Override
        public void close() {
            set(Float32Op.CONV, convolutions);
            set(Float32Op.MATMUL, products);
            torch.globalContext().setBenchmarkCuDNN(tries);
        }
    }

    private static Float32Precision of(Float32Op op) {
        return torch.globalContext().float32Precision(Float32Backend.CUDA, op);
    }

    private static void set(Float32Op op, Float32Precision precision) {
        torch.globalContext().setFloat32Precision(Float32Backend.CUDA, op, precision);
    }
}
