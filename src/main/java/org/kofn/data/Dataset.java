package org.kofn.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/**
 * A part of a data set, decoded once. Its tensors outlive any {@code PointerScope}: whoever has the dataset closes it.
 *
 * @param name as recipes say it
 * @param images uint8 [N, C, H, W], contiguous
 * @param labels int64 [N], on the same device
 * @param classes labels lie in 0 … classes − 1
 * @param mean per channel, of pixel/255
 * @param std per channel, of pixel/255
 */
public record Dataset(String name, Tensor images, Tensor labels, int classes, float[] mean, float[] std)
        implements AutoCloseable {
    /** Refuses tensors that do not fit together. */
    public Dataset {
        if (images.dim() != 4 || images.scalar_type().intern() != ScalarType.Byte || !images.is_contiguous()) {
            throw new IllegalArgumentException("images must be contiguous uint8 [N, C, H, W]");
        }
        if (labels.dim() != 1 || labels.scalar_type().intern() != ScalarType.Long || labels.size(0) != images.size(0)) {
            throw new IllegalArgumentException("labels must be int64 [N], one for each image");
        }
        if (mean.length != images.size(1) || std.length != images.size(1)) {
            throw new IllegalArgumentException("one mean and one std for each channel");
        }
        mean = mean.clone();
        std = std.clone();
    }

    /** A copy; see the record's components. */
    @Override
    public float[] mean() {
        return mean.clone();
    }

    /** A copy; see the record's components. */
    @Override
    public float[] std() {
        return std.clone();
    }

    /** Number of samples. */
    public long size() {
        return images.size(0);
    }

    /** Channels of an image. */
    public int channels() {
        return (int) images.size(1);
    }

    /** Rows of an image. */
    public int height() {
        return (int) images.size(2);
    }

    /** Columns of an image. */
    public int width() {
        return (int) images.size(3);
    }

    /** The same samples on a device, as a dataset of its own (sharing memory if it is the same device). */
    public Dataset to(Device device) {
        try (PointerScope scope = new PointerScope()) {
            Tensor there = Tensors.keep(images.to(device, ScalarType.Byte));
            return new Dataset(name, there, Tensors.keep(labels.to(device, ScalarType.Long)), classes, mean, std);
        }
    }

    /** A copy of some samples, in the order of {@code indices}. */
    public Dataset subset(long[] indices) {
        for (long index : indices) {
            if (index < 0 || index >= size()) {
                throw new IllegalArgumentException("sample " + index + " of " + size());
            }
        }
        try (PointerScope scope = new PointerScope()) {
            Tensor index = Tensors.of(indices, indices.length).to(images.device(), ScalarType.Long);
            Tensor some = Tensors.keep(images.index_select(0, index));
            return new Dataset(name, some, Tensors.keep(labels.index_select(0, index)), classes, mean, std);
        }
    }

    /**
     * SHA-256 over shape (four little-endian 64-bit words), labels (likewise) and pixels: says in a provenance record
     * what a model saw, whatever the form of the files it came from.
     */
    public String checksum() {
        MessageDigest digest = Digest.newDigest("sha256");
        update(digest, Tensors.shape(images));
        update(digest, Tensors.longs(labels));
        long step = Math.max(1, (1 << 22) / Math.max(1, images.numel() / Math.max(1, size())));
        for (long at = 0; at < size(); at += step) {
            try (PointerScope scope = new PointerScope()) {
                digest.update(Tensors.bytes(images.narrow(0, at, Math.min(step, size() - at))));
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void update(MessageDigest digest, long[] words) {
        ByteBuffer buffer = ByteBuffer.allocate(words.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asLongBuffer().put(words);
        digest.update(buffer);
    }

    /** Releases the tensors. */
    @Override
    public void close() {
        images.close();
        labels.close();
    }
}
