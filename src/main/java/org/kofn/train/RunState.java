package org.kofn.train;

import java.util.Map;
import org.kofn.compress.Compression;

/**
 * Where a run is, and how that gets into a checkpoint and back: the step, the sums of the current epoch, the best
 * validation accuracy, the time so far, the pass; and with them masters, buffers, logits, masks and the mode they
 * belong to.
 */
final class RunState {
    private final Workbench bench;
    private final Passes passes;
    private final MaskWatch masks;
    private final long startedAt = System.nanoTime();
    private double secondsBefore;

    /** Steps done. */
    long step;

    /** The best validation accuracy of the last phase so far. */
    double bestAccuracy = Double.NEGATIVE_INFINITY;

    /** Sums of the current epoch. */
    final EpochTotals totals = new EpochTotals();

    /** A run at its beginning. */
    RunState(Workbench bench, Passes passes, MaskWatch masks) {
        this.bench = bench;
        this.passes = passes;
        this.masks = masks;
    }

    /** Wall-clock time of the run, with all its resumed parts. */
    double seconds() {
        return secondsBefore + (System.nanoTime() - startedAt) / 1e9;
    }

    /** Everything but the optimisers; {@code metricsLength} is the length of metrics.jsonl at this step. */
    Checkpoint capture(String recipe, long metricsLength) {
        Compression compression = bench.compression();
        Checkpoint checkpoint = Checkpoint.of(recipe);
        checkpoint.put(Checkpoint.MASTER, compression.masters());
        checkpoint.put(Checkpoint.BUFFER, bench.module().buffers());
        if (compression.method() != null) {
            checkpoint.put(Checkpoint.LOGITS, compression.method().logits());
        }
        compression
                .pruned()
                .forEach(weight -> checkpoint.tensors().put(Checkpoint.MASK + weight.layer(), weight.mask()));
        checkpoint.put(Checkpoint.FROZEN, masks.previous());
        Map<String, String> metadata = checkpoint.metadata();
        metadata.put("step", Long.toString(step));
        metadata.put("mode", compression.mode().name());
        metadata.put("sparse", Boolean.toString(passes.sparse()));
        metadata.put("metrics-length", Long.toString(metricsLength));
        metadata.put("best-bits", Long.toString(Double.doubleToRawLongBits(bestAccuracy)));
        metadata.put("milliseconds", Long.toString((long) (1000 * seconds())));
        totals.save(metadata);
        return checkpoint;
    }

    /** Goes back to a checkpoint as a whole. */
    void resume(Checkpoint checkpoint) {
        step = checkpoint.number("step");
        bestAccuracy = Double.longBitsToDouble(checkpoint.number("best-bits"));
        secondsBefore = checkpoint.number("milliseconds") / 1000.0;
        totals.restore(checkpoint);
        restoreTensors(checkpoint);
        passes.restore(Boolean.parseBoolean(checkpoint.metadata().get("sparse")));
    }

    /** Puts masters, buffers, logits and masks back, and enters the mode they belong to. */
    void restoreTensors(Checkpoint checkpoint) {
        Compression compression = bench.compression();
        checkpoint.restore(Checkpoint.MASTER, compression.masters());
        checkpoint.restore(Checkpoint.BUFFER, bench.module().buffers());
        if (compression.method() != null) {
            checkpoint.restore(Checkpoint.LOGITS, compression.method().logits());
        }
        compression.mode(Compression.Mode.valueOf(checkpoint.metadata().get("mode")));
        compression
                .pruned()
                .forEach(weight -> checkpoint.restore(Checkpoint.MASK, Map.of(weight.layer(), weight.mask())));
        checkpoint.restore(Checkpoint.FROZEN, masks.previous());
        if (compression.mode() == Compression.Mode.FROZEN) {
            bench.setKept(1);
        }
    }
}
