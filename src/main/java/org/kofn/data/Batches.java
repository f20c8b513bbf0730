package org.kofn.data;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

/**
 * The batches of a dataset, made where its tensors live. A batch is a pure function of (seed, epoch, index): the same
 * on every device and in every order of asking, so a run can resume anywhere.
 *
 * <p>A shift, or a crop after padding, is a window into the padded image. All windows of the whole set are rows of one
 * view with overlapping strides, so that one {@code index_select} cuts out a batch; a second gather mirrors, two
 * elementwise passes normalise. Without displacement the view lies over the dataset's own memory; otherwise over a
 * padded copy, which these batches own.
 */
public final class Batches implements AutoCloseable {
    private final Dataset dataset;
    private final Augmentation augmentation;
    private final int batch;
    private final long seed;
    private final boolean shuffle;
    private final long row;
    private final long image;
    /** uint8 [every possible start, C, H, W], overlapping. */
    private final Tensor windows;
    /** float32 [1, C, 1, 1]. */
    private final Tensor scale;

    private final Tensor offset;
    /** int64 [2, W]: the columns of an image as they are and mirrored; null without flips. */
    private final Tensor columns;

    private EpochPlan plan;

    /**
     * Prepares batches; {@code dataset} must stay open as long as they are in use.
     *
     * @param batch samples in a batch
     * @param seed the run's seed
     * @param shuffle whether every epoch has an order of its own and drops what does not fill a batch; otherwise the
     *     order of the dataset is kept, and its last batch may be smaller
     * @throws KofnException (usage) when a shuffled epoch would have no batch at all
     */
    public Batches(Dataset dataset, Augmentation augmentation, int batch, long seed, boolean shuffle) {
        if (batch < 1) {
            throw KofnException.usage("batch: %d must be at least 1", batch);
        }
        if (shuffle && dataset.size() < batch) {
            throw KofnException.usage(
                    "batch: %d is more than the %d training samples; make it smaller", batch, dataset.size());
        }
        this.dataset = dataset;
        this.augmentation = augmentation;
        this.batch = batch;
        this.seed = seed;
        this.shuffle = shuffle;
        int channels = dataset.channels();
        int height = dataset.height();
        int width = dataset.width();
        int reach = augmentation.reach();
        this.row = width + 2L * reach;
        long plane = row * (height + 2L * reach);
        this.image = plane * channels;
        try (PointerScope scope = new PointerScope()) {
            Tensor padded = reach == 0 ? dataset.images() : padded(dataset.images(), reach);
            long extent = (channels - 1) * plane + (height - 1) * row + width;
            long starts = Math.max(0, dataset.size() * image - extent + 1);
            long[] shape = {starts, channels, height, width};
            this.windows = Tensors.keep(padded.as_strided(shape, 1, plane, row, 1));
            float[] factors = new float[channels];
            float[] terms = new float[channels];
            float[] mean = dataset.mean();
            float[] std = dataset.std();
            for (int c = 0; c < channels; c++) {
                factors[c] = (float) (1 / (255.0 * std[c]));
                terms[c] = (float) (-(double) mean[c] / std[c]);
            }
            this.scale = Tensors.keep(onDevice(Tensors.of(factors, 1, channels, 1, 1), ScalarType.Float));
            this.offset = Tensors.keep(onDevice(Tensors.of(terms, 1, channels, 1, 1), ScalarType.Float));
            this.columns = augmentation.flip() ? Tensors.keep(onDevice(columns(width), ScalarType.Long)) : null;
        }
    }

    private static Tensor padded(Tensor images, int reach) {
        long[] shape = Tensors.shape(images);
        long[] larger = {shape[0], shape[1], shape[2] + 2L * reach, shape[3] + 2L * reach};
        Tensor out = torch.zeros(larger, Tensors.options(ScalarType.Byte, images.device()));
        out.narrow(2, reach, shape[2]).narrow(3, reach, shape[3]).copy_(images);
        return out;
    }

    private static Tensor columns(int width) {
        long[] columns = new long[2 * width];
        for (int x = 0; x < width; x++) {
            columns[x] = x;
            columns[width + x] = width - 1 - x;
        }
        return Tensors.of(columns, 2, width);
    }

    private Tensor onDevice(Tensor host, ScalarType type) {
        return host.to(dataset.images().device(), type);
    }

    /** Number of batches in an epoch. */
    public long perEpoch() {
        return shuffle ? dataset.size() / batch : (dataset.size() + batch - 1) / batch;
    }

    /** Number of samples that an epoch sees. */
    public long samplesPerEpoch() {
        return shuffle ? perEpoch() * batch : dataset.size();
    }

    /**
     * Makes one batch; its tensors belong to the caller's {@code PointerScope}. Asking for another epoch than the last
     * time costs some milliseconds.
     *
     * @param epoch from 0 on
     * @param index of the batch in the epoch, 0 … {@link #perEpoch} − 1
     */
    public Batch get(long epoch, long index) {
        if (index < 0 || index >= perEpoch()) {
            throw new IllegalArgumentException("batch " + index + " of " + perEpoch());
        }
        EpochPlan now = plan(epoch);
        long first = index * batch;
        long count = Math.min(batch, dataset.size() - first);
        Tensor pixels = windows.index_select(0, now.starts().narrow(0, first, count));
        if (columns != null) {
            Tensor order = columns.index_select(0, now.flips().narrow(0, first, count));
            pixels = pixels.gather(3, order.view(count, 1, 1, -1).expand(Tensors.shape(pixels)));
        }
        Tensor images = pixels.to(ScalarType.Float).mul_(scale).add_(offset);
        return new Batch(images, now.labels().narrow(0, first, count));
    }

    private EpochPlan plan(long epoch) {
        // Where nothing is left to chance, every epoch is the same.
        long key = shuffle || !augmentation.isNone() ? epoch : 0;
        if (plan == null || plan.epoch() != key) {
            EpochPlan next = EpochPlan.of(dataset, augmentation, batch, seed, shuffle, key, row, image);
            if (plan != null) {
                plan.close();
            }
            plan = next;
        }
        return plan;
    }

    /** Releases what these batches own; the dataset stays open. */
    @Override
    public void close() {
        windows.close();
        scale.close();
        offset.close();
        if (columns != null) {
            columns.close();
        }
        if (plan != null) {
            plan.close();
            plan = null;
        }
    }
}
