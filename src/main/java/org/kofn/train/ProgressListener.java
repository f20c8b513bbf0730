package org.kofn.train;

/** Watches a run; called from the training thread. */
public interface ProgressListener {
    /** Watches nothing. */
    ProgressListener NONE = new ProgressListener() {};

    /**
     * Where a run is.
     *
     * @param step steps done
     * @param steps steps of the whole run
     * @param epoch the current epoch, from 1
     * @param epochs epochs of the whole run
     * @param phase dense, prune or finetune
     * @param loss mean of the epoch so far
     * @param accuracy of the epoch so far, on training data, as a fraction
     * @param images images seen since the start of this process
     */
    record Position(
            long step, long steps, int epoch, int epochs, String phase, double loss, double accuracy, long images) {}

    /** One line about what is about to happen: device, kernels, model, data. */
    default void message(String line) {}

    /** The run starts, or resumes at {@code position}. */
    default void started(Position position) {}

    /** A step is done. */
    default void step(Position position) {}

    /** An epoch is done and its line is in metrics.jsonl. */
    default void epoch(EpochMetrics metrics) {}

    /** The run is over, well or not: release the terminal. */
    default void ended() {}
}
