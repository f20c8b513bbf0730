package org.kofn.recipe;

import java.util.List;

/**
 * A stretch of training.
 *
 * @param phase {@code dense} (no masks), {@code prune} (masks are learned) or {@code finetune} (masks are frozen)
 * @param epochs its length; fractions of an epoch are allowed, and 0 for a dense phase that only loads {@code from}
 * @param from dense only: a run folder, or safetensors with PyTorch's parameter names, to start from; null to start
 *     anew
 * @param optimizer null for the recipe's; keys left out are the recipe's
 * @param schedule null to go on with the recipe's; otherwise it spans this phase; keys left out are the recipe's
 * @param convolutions finetune only: how those under masks are computed
 */
public record PhaseRecipe(
        String phase,
        @Default("0") double epochs,
        @Default(Default.NONE) String from,
        @Default(Default.NONE) OptimizerRecipe optimizer,
        @Default(Default.NONE) ScheduleRecipe schedule,
        @Default("dense") Convolutions convolutions) {
    /** The phases there are, in the order in which they may follow each other. */
    public static final List<String> PHASES = List.of("dense", "prune", "finetune");

    /** Checks the name, the length, and that only a dense phase loads a model. */
    public PhaseRecipe {
        Check.oneOf("phase", "phase", phase, PHASES);
        Check.atLeast("epochs", 0, epochs);
        if (from != null && !phase.equals("dense")) {
            throw Check.error(
                    "from", "only a dense phase can load a model; put '{phase: dense, from: %s}' in front", from);
        }
        if (convolutions != Convolutions.DENSE && !phase.equals("finetune")) {
            throw Check.error("convolutions", "only the masks of a finetune phase stand still; leave it out here");
        }
        if (epochs == 0 && from == null) {
            throw Check.error("epochs", "must be above 0 (only a dense phase with 'from' may leave it out)");
        }
    }

    /** The same phase, {@code scale} times as long. */
    PhaseRecipe scaled(double scale) {
        return new PhaseRecipe(
                phase,
                Numbers.times(epochs, scale),
                from,
                optimizer,
                schedule == null ? null : schedule.scaled(scale),
                convolutions);
    }
}
