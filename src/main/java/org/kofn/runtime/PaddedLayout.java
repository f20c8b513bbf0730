package org.kofn.runtime;

import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.Precision;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Shape;

/**
 * How the native kernels keep a value in memory: planes with zeros around them, or sixteen images innermost. Values
 * with equal layouts can take each other's place without clearing anything.
 *
 * @param form {@code kofn_form}
 * @param batch images
 * @param shape of one image
 * @param halo zeros on each side of a plane
 * @param precision of each number
 */
record PaddedLayout(int form, int batch, Shape shape, int halo, Precision precision) {
    /** Sixteen images innermost. */
    static final int BATCH16 = 1;

    /** In fp32. */
    PaddedLayout(int form, int batch, Shape shape, int halo) {
        this(form, batch, shape, halo, Precision.FP32);
    }

    /** The native description; it belongs to the caller's scope. */
    KofnSparseConv.PaddedTensor tensor() {
        return new KofnSparseConv.PaddedTensor()
                .form(form)
                .batch(batch)
                .channels(shape.channels())
                .height(shape.height())
                .width(shape.width())
                .halo(halo)
                .precision(precision.ordinal());
    }

    /** The size of the memory. */
    long bytes() {
        try (PointerScope scope = new PointerScope()) {
            KofnSparseConv.Strides strides = new KofnSparseConv.Strides();
            NativePlan.check("layout " + this, KofnSparseConv.strides(tensor(), strides));
            return precision.bytes() * strides.elements();
        }
    }
}
