package org.kofn.recipe;

import java.util.Arrays;
import java.util.List;
import org.kofn.mask.Granularity;

/**
 * One rule: which layers, what a candidate is, how many of a group stay. The last rule that matches a layer wins; a
 * layer that no rule matches stays dense.
 *
 * @param match a layer's name, a glob ({@code layer*.conv?}), {@code /a regex/} or {@code type:conv2d}
 * @param granularity {@code weight}, {@code kernel}, {@code filter} or {@code n:m}; null in a recipe means {@code n:m}
 *     where keep is written n:m, else {@code weight}; never null here
 * @param keep how many stay
 * @param share so many consecutive outputs have one mask
 */
public record PruneLayerRecipe(
        String match, @Default(Default.NONE) String granularity, KeepRecipe keep, @Default("1") int share) {
    /** The names of {@link Granularity}. */
    public static final List<String> GRANULARITIES =
            Arrays.stream(Granularity.values()).map(Granularity::label).toList();

    /** Checks the pattern, and that granularity and budget fit each other. */
    public PruneLayerRecipe {
        LayerMatch.of(match);
        boolean structured = keep.goal().isNOfM();
        if (granularity == null) {
            granularity = structured ? Granularity.N_M.label() : Granularity.WEIGHT.label();
        }
        Check.oneOf("granularity", "granularity", granularity, GRANULARITIES);
        if (granularity.equals(Granularity.N_M.label())
                && !structured
                && !keep.goal().isAll()) {
            throw Check.error("keep", "%s is not of the form 2:4, which granularity n:m needs", keep.to());
        }
        if (structured && !granularity.equals(Granularity.N_M.label())) {
            throw Check.error(
                    "keep",
                    "%s means n:m, but granularity is %s; leave granularity out, or write keep: %s",
                    keep.to(),
                    granularity,
                    keep.to().replace(':', '/'));
        }
        Check.atLeast("share", 1, share);
    }

    /** The granularity as the masks know it. */
    public Granularity unit() {
        return Granularity.values()[GRANULARITIES.indexOf(granularity)];
    }
}
