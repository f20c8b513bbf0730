package org.kofn.train;

import java.util.Map;

/**
 * Sums of an epoch: loss and hits over the images seen. Doubles as strings of their bits, so that a resume adds on
 * exactly.
 */
final class EpochTotals {
    private double loss;
    private long correct;
    private long images;

    void add(double batchLoss, long batchCorrect, long batchImages) {
        loss += batchLoss * batchImages;
        correct += batchCorrect;
        images += batchImages;
    }

    double loss() {
        return images == 0 ? 0 : loss / images;
    }

    double accuracy() {
        return images == 0 ? 0 : (double) correct / images;
    }

    void clear() {
        loss = 0;
        correct = 0;
        images = 0;
    }

    void save(Map<String, String> metadata) {
        metadata.put("epoch-loss-bits", Long.toString(Double.doubleToRawLongBits(loss)));
        metadata.put("epoch-correct", Long.toString(correct));
        metadata.put("epoch-images", Long.toString(images));
    }

    void restore(Checkpoint checkpoint) {
        loss = Double.longBitsToDouble(checkpoint.number("epoch-loss-bits"));
        correct = checkpoint.number("epoch-correct");
        images = checkpoint.number("epoch-images");
    }
}
