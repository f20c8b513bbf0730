package org.kofn.recipe;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kofn.base.KofnException;
import org.kofn.mask.Keep;

/**
 * How many candidates stay, and how that number gets to its goal. Short form: {@code keep: 12/784}.
 *
 * <p>Starting with more than the goal and taking candidates away cubically, fast while many are redundant and slowly
 * near the goal, is the course of Zhu and Gupta, "To prune, or not to prune" (2017). Here k is exact at every step.
 *
 * @param from where k starts: {@code 8x} (times the goal, at most n), {@code 50%} or {@code 64/784}; null to start at
 *     the goal
 * @param to the goal: {@code 12/784}, {@code 5%}, {@code 2:4} or {@code all}
 * @param over the part of the prune phases after which k has reached its goal
 */
@ShortForm("to")
public record KeepRecipe(@Default(Default.NONE) String from, String to, @Default("60%") @Fraction double over) {
    private static final Pattern TIMES = Pattern.compile("(\\d{1,6}(?:\\.\\d{1,6})?)\\s*x");

    /** Checks that both ends are budgets. */
    public KeepRecipe {
        Keep goal = budget("to", to);
        if (!(over > 0 && over <= 1)) {
            throw Check.error("over", "must be above 0 and at most 1 (100%%), not %s", Numbers.text(over));
        }
        if (from != null) {
            if (goal.isAll()) {
                throw Check.error("from", "%s has no way to go when to is all; leave it out", from);
            }
            Matcher times = TIMES.matcher(from.trim());
            if (!times.matches()) {
                Keep start = budget("from", from);
                if (start.isNOfM() && !(goal.isNOfM() && goal.n() == start.n())) {
                    throw Check.error("from", "%s has other groups than %s; write 8x or a percentage", from, to);
                }
            } else if (Double.parseDouble(times.group(1)) < 1) {
                throw Check.error("from", "%s is less than the goal; k starts at 1x or more", from);
            }
        }
    }

    /** The goal. */
    public Keep goal() {
        return budget("to", to);
    }

    /**
     * The k that pruning starts with.
     *
     * @param layer the layer's name, for errors
     * @param candidates n
     * @param goal the goal's k
     * @return between {@code goal} and {@code candidates}
     * @throws KofnException (usage) when it would start below its goal, or does not fit n
     */
    public long start(String layer, long candidates, long goal) {
        if (from == null) {
            return goal;
        }
        Matcher times = TIMES.matcher(from.trim());
        long start = times.matches()
                ? Math.round(Math.min(candidates, Double.parseDouble(times.group(1)) * goal))
                : budget("from", from).resolve(layer, candidates);
        if (start < goal) {
            throw KofnException.usage(
                    "layer %s: keep: starts with %d of %d candidates, below its goal of %d; write from: 8x, say",
                    layer, start, candidates, goal);
        }
        return start;
    }

    /** A budget; the key alone stands in front of the complaint, as everywhere in this package. */
    private static Keep budget(String key, String text) {
        try {
            return Keep.parse(key, text);
        } catch (KofnException e) {
            throw KofnException.usage("%s", e.getMessage().replaceFirst(": keep: ", ": "));
        }
    }
}
