package org.kofn.recipe;

/**
 * When the state of a run is saved. It always is at the end of an epoch and when the run is interrupted.
 *
 * @param everySteps also every so many steps; 0 for not
 * @param keep how many of the latest checkpoints stay; the best one stays besides
 */
public record CheckpointRecipe(@Default("0") int everySteps, @Default("2") int keep) {
    /** Checks the ranges. */
    public CheckpointRecipe {
        Check.atLeast("every-steps", 0, everySteps);
        Check.atLeast("keep", 1, keep);
    }
}
