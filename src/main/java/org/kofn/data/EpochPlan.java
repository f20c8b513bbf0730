package org.kofn.data;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Philox;
import org.kofn.torch.Tensors;

/**
 * Who is seen when in one epoch, and how displaced: worked out on the host at the epoch's start, for all its batches,
 * and kept on the device, so that a batch needs no transfer. Order: Fisher–Yates under (seed, epoch). Displacement of
 * sample i of a batch: the Philox words 8i … 8i+4 under (seed, epoch, batch), namely shift down, shift right, crop
 * down, crop right, flip.
 *
 * @param epoch whose plan this is
 * @param starts int64 [N]: where in the padded images the window of each sample starts, in the order of the epoch
 * @param labels int64 [N], in that order
 * @param flips int64 [N], 1 for a mirrored sample; null when none is
 */
record EpochPlan(long epoch, Tensor starts, Tensor labels, Tensor flips) implements AutoCloseable {
    private static final int ORDER = 0x6f726465;
    private static final int DISPLACEMENT = 0x6175676d;

    /**
     * Works out an epoch.
     *
     * @param row elements from a row of a padded image to the next
     * @param image elements from a padded image to the next
     */
    static EpochPlan of(
            Dataset dataset,
            Augmentation augmentation,
            int batch,
            long seed,
            boolean shuffle,
            long epoch,
            long row,
            long image) {
        int size = Math.toIntExact(dataset.size());
        long[] starts = new long[size];
        long[] order = new long[size];
        long[] flips = new long[augmentation.flip() ? size : 0];
        int[] shuffled = shuffle ? Permutation.of(Philox.derive(seed, ORDER, (int) epoch, 0), size) : null;
        int reach = augmentation.reach();
        int[] words = new int[8 * batch];
        for (int i = 0; i < size; i++) {
            if (i % batch == 0 && !augmentation.isNone()) {
                long key = Philox.derive(seed, DISPLACEMENT, (int) epoch, i / batch);
                Philox.fill(key, 0, 0, 0, 0, words, 0, 2 * batch);
            }
            int at = 8 * (i % batch);
            long down = reach + shift(words[at], augmentation.shift()) + shift(words[at + 2], augmentation.crop());
            long right = reach + shift(words[at + 1], augmentation.shift()) + shift(words[at + 3], augmentation.crop());
            if (augmentation.flip()) {
                flips[i] = words[at + 4] >>> 31;
            }
            order[i] = shuffled == null ? i : shuffled[i];
            starts[i] = order[i] * image + down * row + right;
        }
        try (PointerScope scope = new PointerScope()) {
            Tensor index = onDevice(order, dataset);
            return new EpochPlan(
                    epoch,
                    Tensors.keep(onDevice(starts, dataset)),
                    Tensors.keep(dataset.labels().index_select(0, index)),
                    augmentation.flip() ? Tensors.keep(onDevice(flips, dataset)) : null);
        }
    }

    /** A distance in −most … most. */
    private static int shift(int word, int most) {
        return Permutation.below(word, 2 * most + 1) - most;
    }

    private static Tensor onDevice(long[] values, Dataset dataset) {
        return Tensors.of(values, values.length).to(dataset.images().device(), ScalarType.Long);
    }

    @Override
    public void close() {
        starts.close();
        labels.close();
        if (flips != null) {
            flips.close();
        }
    }
}
