package org.kofn.runtime;

/**
 * A layer as it is run: what the dispatcher decides about.
 *
 * @param layer its shape
 * @param batch images
 * @param threads that compute it
 * @param precision of activations and weights: fp32
 */
public record LayerCase(LayerShape layer, int batch, int threads, String precision) {
    /** What the kernels compute in. */
    public static final String FP32 = "fp32";

    /** Checks the numbers. */
    public LayerCase {
        if (layer == null || batch < 1 || threads < 1 || !FP32.equals(precision)) {
            throw new IllegalArgumentException(
                    "layer " + layer + ", batch " + batch + ", " + threads + " threads, " + precision);
        }
    }

    /** In single precision. */
    public LayerCase(LayerShape layer, int batch, int threads) {
        this(layer, batch, threads, FP32);
    }

    /** How far apart the sizes of two cases are, in factors of two; infinitely far where they do not resemble. */
    double distance(LayerCase other) {
        if (!layer.resembles(other.layer)) {
            return Double.POSITIVE_INFINITY;
        }
        return factor(layer.inputs(), other.layer.inputs())
                + factor(layer.outputs(), other.layer.outputs())
                + factor(layer.height() * layer.width(), other.layer.height() * other.layer.width())
                + factor(layer.share(), other.layer.share())
                + factor(batch, other.batch)
                + factor(threads, other.threads);
    }

    private static double factor(int a, int b) {
        return Math.abs(Math.log((double) a / b)) / Math.log(2);
    }

    /** Such as {@code 256>256 3x3 14x14, batch 1, 2 threads}. */
    @Override
    public String toString() {
        return layer + ", batch " + batch + ", " + threads + (threads == 1 ? " thread" : " threads");
    }
}
