package org.kofn.recipe;

import java.util.List;

/**
 * A value that moves while masks are learned. Short form for one that stays: {@code entropy: 1e-5}.
 *
 * @param from at the start of the prune phases
 * @param to at their end
 * @param shape {@code linear}, or {@code geometric}: by equal factors, which suits values that span orders of magnitude
 */
@ShortForm({"from", "to"})
public record Anneal(double from, double to, @Default("linear") String shape) {
    /** The courses there are. */
    public static final List<String> SHAPES = List.of("linear", "geometric");

    /** Checks that the values are not negative, and that a geometric course does not touch zero. */
    public Anneal {
        Check.atLeast("from", 0, from);
        Check.atLeast("to", 0, to);
        Check.oneOf("shape", "shape", shape, SHAPES);
        if (shape.equals("geometric") && from != to && (from == 0 || to == 0)) {
            throw Check.error(
                    from == 0 ? "from" : "to",
                    "a geometric course cannot touch 0; write shape: linear, or a small value");
        }
    }

    /** The value at {@code progress}, 0 at the start and 1 at the end of the prune phases; held constant outside. */
    public double at(double progress) {
        double p = Math.min(1, Math.max(0, progress));
        if (p == 0 || from == to) {
            return from;
        }
        if (p == 1) {
            return to;
        }
        return shape.equals("linear") ? from + (to - from) * p : from * Math.pow(to / from, p);
    }
}
