package org.kofn.runtime;

import org.kofn.kernels.Precision;

/**
 * The default rule on a GPU: what the floors in {@code cuda/sparse_conv/sparse_conv_cuda.h} and
 * {@code cuda/sparse_linear/sparse_linear_cuda.h} say of an H200. It is an estimate; {@code kofn bench --tune}
 * measures.
 *
 * <p>With a list for each output, FFMA units compute, several times slower than the tensor cores of a dense tf32 or
 * bf16 product. With shared lists both run on tensor cores. A linear layer of few images takes the time that its
 * weights take to come from memory, whatever multiplies them.
 */
final class DefaultGpuDispatch implements Dispatch {
    /** So many outputs with one list are rows enough for tensor cores, so many rows enough to keep them busy. */
    private static final int SHARED = 16;

    private static final int SHARED_BY_MANY = 64;

    /** So many images a warp computes with the weights of one neuron. */
    private static final int FEW_IMAGES = 4;

    @Override
    public BreakEven of(LayerCase layer) {
        return new BreakEven(density(layer), "default rule");
    }

    private static double density(LayerCase layer) {
        LayerShape shape = layer.layer();
        boolean fp32 = layer.precision() == Precision.FP32;
        if (shape.window() == null && layer.batch() <= FEW_IMAGES) {
            return 0.5;
        }
        if (!fp32 && shape.share() % SHARED == 0) {
            return shape.share() >= SHARED_BY_MANY ? 0.5 : 0.125;
        }
        boolean severalTaps = shape.window() != null
                && shape.window().height() * shape.window().width() > 1;
        if (!severalTaps) {
            return fp32 ? 1.0 / 6 : 0;
        }
        return fp32 ? 0.5 : layer.precision() == Precision.TF32 ? 0.125 : 0.0625;
    }
}
