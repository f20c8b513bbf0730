package org.kofn.nn;

import java.util.Arrays;

/**
 * A tensor that a layer holds.
 *
 * @param name PyTorch's name of it within the layer, such as {@code weight} or {@code running_mean}
 * @param shape its sizes; empty for a scalar
 * @param kind whether an optimiser trains it
 */
public record TensorSpec(String name, long[] shape, Kind kind) {
    /** What a tensor is for. */
    public enum Kind {
        /** Trained, of the module's precision. */
        WEIGHT,
        /** Trained, always float32: the scale and shift of a normalisation. */
        NORM,
        /** A float32 statistic, saved but not trained. */
        STATISTIC,
        /** An int64 counter, saved but not trained. */
        COUNTER
    }

    /** Whether gradients are taken of it. */
    public boolean trained() {
        return kind == Kind.WEIGHT || kind == Kind.NORM;
    }

    /** Numbers in it. */
    public long size() {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TensorSpec that
                && name.equals(that.name)
                && Arrays.equals(shape, that.shape)
                && kind == that.kind;
    }

    @Override
    public int hashCode() {
        return 31 * name.hashCode() + Arrays.hashCode(shape);
    }

    @Override
    public String toString() {
        return name + Arrays.toString(shape);
    }
}
