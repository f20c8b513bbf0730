package org.kofn.data;

import java.nio.file.Path;

/**
 * Reads IDX, the format of MNIST: a magic word (two zero bytes, the element type, the number of axes), the size of each
 * axis as a big-endian word, the elements. Images are {@code 0x00000803} (uint8, three axes), labels
 * {@code 0x00000801}. Described at the end of the MNIST page (Y. LeCun, C. Cortes, C. J. C. Burges).
 */
final class IdxReader {
    private static final int IMAGES = 0x00000803;
    private static final int LABELS = 0x00000801;
    private static final int LARGEST_SIDE = 4096;

    private IdxReader() {}

    /**
     * Reads a file of images and the file of their labels, plain or packed with gzip.
     *
     * @param classes labels lie in {@code firstLabel … firstLabel + classes − 1}
     * @param firstLabel the label of class 0 (1 in EMNIST letters)
     * @throws org.kofn.base.KofnException (file) for whatever is wrong with a file, naming it
     */
    static Samples read(Path images, Path labels, int classes, int firstLabel) {
        try (ByteSource imageSource = ByteSource.open(images);
                ByteSource labelSource = ByteSource.open(labels)) {
            return read(imageSource, labelSource, classes, firstLabel);
        }
    }

    /** Likewise, from open sources, which stay open. */
    static Samples read(ByteSource images, ByteSource labels, int classes, int firstLabel) {
        expectMagic(images, IMAGES);
        int count = size(images, "images", Integer.MAX_VALUE);
        int height = size(images, "rows", LARGEST_SIDE);
        int width = size(images, "columns", LARGEST_SIDE);
        long bytes = (long) count * height * width;
        if (bytes > images.most()) {
            throw images.damaged(
                    "its header claims %,d images of %d×%d, more than the file holds", count, height, width);
        }
        expectMagic(labels, LABELS);
        int labelCount = size(labels, "labels", Integer.MAX_VALUE);
        if (labelCount != count) {
            throw labels.damaged("%,d labels, but %s has %,d images", labelCount, images.name(), count);
        }
        Samples out = new Samples(count, 1, height, width, classes);
        byte[] buffer = new byte[1 << 18];
        for (long at = 0; at < bytes; ) {
            int length = (int) Math.min(buffer.length, bytes - at);
            images.readFully(buffer, 0, length);
            out.putPixels(at, buffer, 0, length);
            at += length;
        }
        images.expectEnd();
        readLabels(labels, out, classes, firstLabel);
        return out;
    }

    private static void readLabels(ByteSource source, Samples out, int classes, int firstLabel) {
        byte[] labels = new byte[out.count()];
        source.readFully(labels, 0, labels.length);
        source.expectEnd();
        for (int i = 0; i < labels.length; i++) {
            int label = (labels[i] & 0xff) - firstLabel;
            if (label < 0 || label >= classes) {
                throw source.damaged(
                        "label %d of sample %,d lies outside %d … %d",
                        labels[i] & 0xff, i, firstLabel, firstLabel + classes - 1);
            }
            out.putLabel(i, label);
        }
    }

    private static void expectMagic(ByteSource source, int wanted) {
        int magic = source.readInt();
        if (magic != wanted) {
            String what = wanted == IMAGES ? "images" : "labels";
            throw source.damaged("not an IDX file of %s: it begins with %08x, not %08x", what, magic, wanted);
        }
    }

    private static int size(ByteSource source, String axis, int most) {
        int size = source.readInt();
        if (size <= 0 || size > most) {
            throw source.damaged("its header claims %,d %s", Integer.toUnsignedLong(size), axis);
        }
        return size;
    }
}
