package org.kofn.export.onnx;

/**
 * Windows of one size at one distance, from the first pixel to the last: what an adaptive pooling is along an axis
 * where it is an ordinary one.
 *
 * @param size pixels of each
 * @param stride pixels from one to the next
 */
record EvenWindows(int size, int stride) {
    /**
     * The windows of PyTorch's adaptive pooling, from ⌊i·in/out⌋ to ⌈(i + 1)·in/out⌉, if they are alike.
     *
     * @return null if not
     */
    static EvenWindows of(int in, int out) {
        int size = end(0, in, out);
        int stride = out == 1 ? 1 : start(1, in, out);
        for (int i = 0; i < out; i++) {
            if (start(i, in, out) != i * stride || end(i, in, out) != i * stride + size) {
                return null;
            }
        }
        // Where pixels are repeated, windows stand still.
        return stride < 1 ? null : new EvenWindows(size, stride);
    }

    private static int start(int i, int in, int out) {
        return i * in / out;
    }

    private static int end(int i, int in, int out) {
        return ((i + 1) * in + out - 1) / out;
    }
}
