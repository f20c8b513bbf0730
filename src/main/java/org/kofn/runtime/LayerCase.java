package org.kofn.runtime;

import java.util.Arrays;

/**
 * A layer as it is run: what the dispatcher decides about.
 *
 * @param layer its shape
 * @param batch images
 * @param threads that compute it
 * @param precision of activations and weights: the word of a {@link Storage}
 */
public record LayerCase(LayerShape layer, int batch, int threads, String precision) {
    /** Checks the numbers. */
    public LayerCase {
        if (layer == null || batch < 1 || threads < 1 || storage(precision) == null) {
            throw new IllegalArgumentException(
                    "layer " + layer + ", batch " + batch + ", " + threads + " threads, " + precision);
        }
    }

    /** In single precision. */
    public LayerCase(LayerShape layer, int batch, int threads) {
        this(layer, batch, threads, Storage.FP32.word());
    }

    private static Storage storage(String word) {
        return Arrays.stream(Storage.values())
                .filter(storage -> storage.word().equals(word))
                .findFirst()
                .orElse(null);
    }

    /** How activations and weights are stored. */
    Storage storage() {
        return storage(precision);
    }

    /** How far apart the sizes of two cases are, in factors of two; infinitely far where they do not resemble. */
    double distance(LayerCase other) {
        if (!layer.resembles(other.layer) || !precision.equals(other.precision)) {
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
