package org.kofn.runtime;

import org.kofn.kernels.Precision;

/**
 * A layer as it is run: what the dispatcher decides about.
 *
 * @param layer its shape
 * @param batch images
 * @param threads that compute it; 0 on a GPU
 * @param precision of activations and weights
 */
public record LayerCase(LayerShape layer, int batch, int threads, Precision precision) {
    /** Checks the numbers. */
    public LayerCase {
        if (layer == null || batch < 1 || threads < 0 || precision == null) {
            throw new IllegalArgumentException(
                    "layer " + layer + ", batch " + batch + ", " + threads + " threads, " + precision);
        }
    }

    /** On a CPU, in single precision. */
    public LayerCase(LayerShape layer, int batch, int threads) {
        this(layer, batch, threads, Precision.FP32);
    }

    /** The case whose measurements decide, and its dense side: on a CPU fp32, as long as which bf16 takes. */
    public LayerCase decidedAs() {
        return onGpu() ? this : new LayerCase(layer, batch, threads);
    }

    /** Whether a GPU runs it. */
    boolean onGpu() {
        return threads == 0;
    }

    /** How far apart the sizes of two cases are, in factors of two; infinitely far where they do not resemble. */
    double distance(LayerCase other) {
        if (!layer.resembles(other.layer) || precision != other.precision || onGpu() != other.onGpu()) {
            return Double.POSITIVE_INFINITY;
        }
        return factor(layer.inputs(), other.layer.inputs())
                + factor(layer.outputs(), other.layer.outputs())
                + factor(layer.height() * layer.width(), other.layer.height() * other.layer.width())
                + factor(layer.share(), other.layer.share())
                + factor(batch, other.batch)
                + (onGpu() ? 0 : factor(threads, other.threads));
    }

    private static double factor(int a, int b) {
        return Math.abs(Math.log((double) a / b)) / Math.log(2);
    }

    /** Such as {@code 256>256 3x3 14x14, batch 1, 2 threads}, or {@code …, batch 1, tf32} on a GPU. */
    @Override
    public String toString() {
        String how = onGpu() ? precision.word() : threads + (threads == 1 ? " thread" : " threads");
        return layer + ", batch " + batch + ", " + how;
    }
}
