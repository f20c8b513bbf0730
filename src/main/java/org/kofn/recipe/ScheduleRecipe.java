package org.kofn.recipe;

import java.util.List;

/**
 * How learning rates change over a span of steps. Short form: {@code schedule: constant}. The recipe's schedule spans
 * all phases that have none of their own, one after the other; a phase's own schedule spans that phase.
 *
 * @param name one of {@link #NAMES}
 * @param warmup epochs in which the rate first rises linearly from near zero
 * @param floor of cosine: what it ends at, as a fraction of the rate
 * @param milestones of step: the places, as fractions of the span, at which the rate is multiplied by {@code gamma}
 * @param gamma of step: the factor
 */
@ShortForm("name")
public record ScheduleRecipe(
        @Default("cosine") String name,
        @Default("0") double warmup,
        @Default("0.01") @Fraction double floor,
        @Default("[0.5, 0.75]") @Fraction List<Double> milestones,
        @Default("0.1") @Fraction double gamma) {
    /** The schedules there are. */
    public static final List<String> NAMES = List.of("constant", "step", "cosine", "one-cycle");

    /** Checks the name and the ranges; milestones must rise. */
    public ScheduleRecipe {
        milestones = List.copyOf(milestones);
        Check.oneOf("name", "schedule", name, NAMES);
        Check.atLeast("warmup", 0, warmup);
        Check.fraction("floor", floor);
        Check.fraction("gamma", gamma);
        double before = 0;
        for (int i = 0; i < milestones.size(); i++) {
            double milestone = milestones.get(i);
            if (!(milestone > before && milestone < 1)) {
                throw Check.error(
                        "milestones[" + i + "]",
                        "%s must lie between %s and 1; milestones are rising fractions of the span",
                        Numbers.text(milestone),
                        Numbers.text(before));
            }
            before = milestone;
        }
    }

    /** The same schedule for runs {@code scale} times as long. */
    ScheduleRecipe scaled(double scale) {
        return new ScheduleRecipe(name, Numbers.times(warmup, scale), floor, milestones, gamma);
    }
}
