package org.kofn.runtime;

import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Layer;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;

/**
 * A pooling layer in the kernels of {@code cuda/pooling}, between values in the padded layout.
 *
 * @param mean whether to average instead of taking the largest
 * @param window what slides over the image
 */
record NativePooling(boolean mean, Window window) {
    /**
     * The pooling of a layer.
     *
     * @param image what it reads
     * @return null for other layers, and for windows that the kernels do not know
     */
    static NativePooling of(Layer layer, Shape image) {
        if (layer instanceof Layer.MaxPool2d pool) {
            return pool.window().dense() ? new NativePooling(false, pool.window()) : null;
        } else if (layer instanceof Layer.AvgPool2d pool) {
            return new NativePooling(true, pool.window());
        } else if (layer instanceof Layer.AdaptiveAvgPool2d pool
                && image.height() % pool.height() == 0
                && image.width() % pool.width() == 0) {
            int height = image.height() / pool.height();
            int width = image.width() / pool.width();
            return new NativePooling(true, new Window(height, width, height, width, 0, 0, 1, 1));
        }
        return null;
    }

    /** Pools in a workspace. */
    void run(Workspace workspace, Buffer input, Buffer output, int threads) {
        try (PointerScope scope = new PointerScope()) {
            KofnSparseConv.Pool pool = new KofnSparseConv.Pool()
                    .kind(mean ? 1 : 0)
                    .rows(window.height())
                    .columns(window.width())
                    .strideRows(window.strideHeight())
                    .strideColumns(window.strideWidth())
                    .paddingRows(window.padHeight())
                    .paddingColumns(window.padWidth());
            int status = KofnSparseConv.pool(
                    pool,
                    workspace.layout(input),
                    workspace.pointer(input),
                    workspace.layout(output),
                    workspace.pointer(output),
                    threads);
            NativePlan.check(output.key(), status);
        }
    }
}
