package org.kofn.train;

import java.util.ArrayList;
import java.util.List;
import org.kofn.recipe.PhaseRecipe;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.ScheduleRecipe;

/**
 * A recipe's phases as epochs and steps. A fraction of an epoch is a shorter epoch at the end of its phase.
 *
 * @param epochs in order
 * @param steps of the whole run
 * @param pruneSteps of all prune phases together: what schedules of masks run over
 */
record RunPlan(List<Epoch> epochs, long steps, long pruneSteps) {

    /**
     * An epoch.
     *
     * @param number from 0: with the seed it decides the order of the data
     * @param phaseIndex which phase it belongs to
     * @param phase that phase
     * @param firstStep its first step, over the whole run
     * @param steps its steps
     * @param pruneStep its first step, counted over prune phases alone
     * @param schedule the learning rate's schedule
     * @param scheduleStep its first step, counted over the schedule's span
     * @param scheduleSteps the schedule's span
     */
    record Epoch(
            int number,
            int phaseIndex,
            PhaseRecipe phase,
            long firstStep,
            long steps,
            long pruneStep,
            ScheduleRecipe schedule,
            long scheduleStep,
            long scheduleSteps) {

        /** Whether the phase's first step is this epoch's. */
        boolean opensPhase(List<Epoch> all) {
            return number == 0 || all.get(number - 1).phaseIndex() != phaseIndex;
        }
    }

    /** The plan of a recipe whose data give {@code perEpoch} steps an epoch. */
    static RunPlan of(Recipe recipe, long perEpoch) {
        List<PhaseRecipe> phases = recipe.phases();
        long[] length = new long[phases.size()];
        long shared = 0;
        long pruning = 0;
        for (int p = 0; p < length.length; p++) {
            PhaseRecipe phase = phases.get(p);
            // A phase that only loads weights has no epochs; any other has at least one step, however short the trial.
            length[p] = phase.epochs() == 0 ? 0 : Math.max(1, Math.round(phase.epochs() * perEpoch));
            shared += phase.schedule() == null ? length[p] : 0;
            pruning += phase.phase().equals("prune") ? length[p] : 0;
        }
        List<Epoch> epochs = new ArrayList<>();
        long step = 0;
        long sharedStep = 0;
        long pruneStep = 0;
        for (int p = 0; p < length.length; p++) {
            PhaseRecipe phase = phases.get(p);
            boolean own = phase.schedule() != null;
            ScheduleRecipe schedule = own ? phase.schedule() : recipe.schedule();
            long span = own ? length[p] : shared;
            for (long done = 0; done < length[p]; done += perEpoch) {
                long steps = Math.min(perEpoch, length[p] - done);
                epochs.add(new Epoch(
                        epochs.size(), p, phase, step, steps, pruneStep, schedule, own ? done : sharedStep, span));
                step += steps;
                sharedStep += own ? 0 : steps;
                pruneStep += phase.phase().equals("prune") ? steps : 0;
            }
        }
        return new RunPlan(List.copyOf(epochs), step, pruning);
    }

    /** The epoch that holds a step, or the last one for the step after the end. */
    Epoch at(long step) {
        for (Epoch epoch : epochs) {
            if (step < epoch.firstStep() + epoch.steps()) {
                return epoch;
            }
        }
        return epochs.get(epochs.size() - 1);
    }

    /** How far the prune phases are at a step of an epoch: 0 at their first step, 1 after their last. */
    double pruneProgress(Epoch epoch, long stepInEpoch) {
        long at = epoch.pruneStep() + (epoch.phase().phase().equals("prune") ? stepInEpoch : 0);
        return pruneSteps == 0 ? 1 : Math.min(1, (double) at / pruneSteps);
    }
}
