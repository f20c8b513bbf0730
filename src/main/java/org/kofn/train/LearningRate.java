package org.kofn.train;

import org.kofn.recipe.ScheduleRecipe;

/** Learning-rate schedules as a factor on the recipe's rate, a pure function of the step. */
final class LearningRate {
    /** One-cycle as in Smith and Topin, "Super-convergence" (2018), with the proportions that PyTorch uses. */
    private static final double ONE_CYCLE_RISE = 0.3;

    private static final double ONE_CYCLE_START = 1.0 / 25;
    private static final double ONE_CYCLE_END = 1e-4 / 25;

    private LearningRate() {}

    /**
     * The factor of a step.
     *
     * @param schedule its name, warm-up, floor, milestones and gamma
     * @param step counted over the schedule's span
     * @param span steps of the span
     * @param perEpoch steps of a whole epoch, the unit of the warm-up
     */
    static double factor(ScheduleRecipe schedule, long step, long span, long perEpoch) {
        double progress = span <= 1 ? 0 : (double) step / span;
        double factor =
                switch (schedule.name()) {
                    case "cosine" ->
                        schedule.floor() + (1 - schedule.floor()) * 0.5 * (1 + Math.cos(Math.PI * progress));
                    case "step" ->
                        Math.pow(
                                schedule.gamma(),
                                schedule.milestones().stream()
                                        .filter(milestone -> progress >= milestone)
                                        .count());
                    case "one-cycle" ->
                        progress < ONE_CYCLE_RISE
                                ? between(ONE_CYCLE_START, 1, progress / ONE_CYCLE_RISE)
                                : between(1, ONE_CYCLE_END, (progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE));
                    default -> 1;
                };
        double warmup = schedule.warmup() * perEpoch;
        return step + 1 < warmup ? factor * (step + 1) / warmup : factor;
    }

    private static double between(double from, double to, double part) {
        return to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * part));
    }
}
