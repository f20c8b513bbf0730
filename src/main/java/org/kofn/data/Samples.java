package org.kofn.data;

import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/**
 * Images and labels while a reader fills them. Pixels go straight into native memory, so that a set of 180 MB does not
 * need a Java heap of that size.
 */
final class Samples {
    private final Tensor images;
    private final BytePointer pixels;
    private final long[] labels;
    private final int classes;

    /** Room for {@code count} images of {@code channels}×{@code height}×{@code width}. */
    Samples(int count, int channels, int height, int width, int classes) {
        this.images =
                torch.empty(new long[] {count, channels, height, width}, new TensorOptions(ScalarType.Byte), null);
        this.pixels = new BytePointer(images.data_ptr()).capacity(images.numel());
        this.labels = new long[count];
        this.classes = classes;
    }

    private Samples(Tensor images, long[] labels, int classes) {
        this.images = images;
        this.pixels = null;
        this.labels = labels;
        this.classes = classes;
    }

    /** Several sets of the same image size, one after the other. */
    static Samples join(List<Samples> parts) {
        if (parts.size() == 1) {
            return parts.get(0);
        }
        TensorVector all = new TensorVector();
        int count = 0;
        for (Samples part : parts) {
            all.push_back(part.images);
            count += part.count();
        }
        long[] labels = new long[count];
        int at = 0;
        for (Samples part : parts) {
            System.arraycopy(part.labels, 0, labels, at, part.count());
            at += part.count();
        }
        return new Samples(torch.cat(all, 0), labels, parts.get(0).classes);
    }

    /** Copies {@code length} pixels to byte {@code position} of the whole set. */
    void putPixels(long position, byte[] source, int offset, int length) {
        if (position < 0 || position + length > images.numel()) {
            throw new IllegalArgumentException("pixels outside the set");
        }
        pixels.position(position).put(source, offset, length);
    }

    /** Sets the class of a sample; the reader has checked it. */
    void putLabel(int sample, int label) {
        labels[sample] = label;
    }

    int count() {
        return labels.length;
    }

    int classes() {
        return classes;
    }

    /** uint8 [N, C, H, W]. */
    Tensor images() {
        return images;
    }

    /** int64 [N], a new tensor. */
    Tensor labels() {
        return Tensors.of(labels, labels.length);
    }

    /** The same samples with rows and columns exchanged. */
    Samples transposed() {
        return new Samples(images.transpose(2, 3).contiguous(), labels, classes);
    }
}
