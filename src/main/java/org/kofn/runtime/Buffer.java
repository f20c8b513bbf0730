package org.kofn.runtime;

import org.kofn.kernels.Precision;
import org.kofn.nn.Shape;

/**
 * A value in memory for a batch, in one of two ways: as LibTorch has it, contiguous [batch, channels, height, width],
 * or as the native kernels do. A value that is read in several ways has several.
 *
 * @param value its name
 * @param padded how the native kernels have it; null for LibTorch's way
 * @param shape of one image
 * @param batch images
 * @param precision what its numbers are stored in
 */
record Buffer(String value, PaddedLayout padded, Shape shape, int batch, Precision precision) {
    /** LibTorch's way. */
    static Buffer plain(String value, Shape shape, int batch, Precision precision) {
        return new Buffer(value, null, shape, batch, precision);
    }

    /** The native kernels' way. */
    static Buffer padded(String value, PaddedLayout layout) {
        return new Buffer(value, layout, layout.shape(), layout.batch(), layout.precision());
    }

    /** A name of its own, for the memory plan. */
    String key() {
        return padded == null ? value + " in " + precision.word() : value + " in form " + padded.form();
    }

    /** The size of its memory. */
    long bytes() {
        return padded == null ? precision.bytes() * shape.size() * batch : padded.bytes();
    }
}
