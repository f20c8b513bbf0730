package org.kofn.recipe;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.mask.Keep;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;

/**
 * What the rules of a recipe mean for one layer of a network: the layout of its mask and the course of its k.
 * Everything that only the network can tell is checked here.
 *
 * @param weight the layer and its weight
 * @param layout how the weight is seen as groups of candidates
 * @param startK the k that pruning starts with
 * @param goalK the k that it ends with, at most {@code startK}
 * @param over the part of the prune phases after which the goal is reached
 */
public record LayerPlan(Network.Weight weight, MaskLayout layout, long startK, long goalK, double over) {

    /** Checks {@code 1 <= goalK <= startK <= n} and {@code over > 0}. */
    public LayerPlan {
        if (goalK < 1 || goalK > startK || startK > layout.candidates() || !(over > 0)) {
            throw new IllegalArgumentException("not 1 <= " + goalK + " <= " + startK + " <= " + layout.candidates());
        }
    }

    /**
     * The plans of all layers that are pruned, in forward order. A layer that no rule matches, or whose last matching
     * rule says {@code keep: all}, is not among them.
     *
     * @throws KofnException (usage) naming rule or layer: a rule that matches nothing, k/n that does not come out even
     *     for the layer's n, a start below the goal, n:m or share that does not divide, a granularity that the layer
     *     does not have, no layer left to prune
     */
    public static List<LayerPlan> resolve(PruneRecipe prune, Network network) {
        List<Predicate<Network.Weight>> rules =
                prune.layers().stream().map(rule -> LayerMatch.of(rule.match())).toList();
        List<Network.Weight> weights = network.weights();
        for (int r = 0; r < rules.size(); r++) {
            if (weights.stream().noneMatch(rules.get(r))) {
                throw unmatched(r, prune.layers().get(r).match(), network);
            }
        }
        List<LayerPlan> plans = new ArrayList<>();
        for (Network.Weight weight : weights) {
            int last = IntStream.range(0, rules.size())
                    .filter(r -> rules.get(r).test(weight))
                    .reduce(-1, (before, r) -> r);
            if (last >= 0 && !prune.layers().get(last).keep().goal().isAll()) {
                plans.add(plan(prune.layers().get(last), weight));
            }
        }
        if (plans.isEmpty()) {
            throw KofnException.usage(
                    "prune.layers: every layer is kept whole (keep: all); prune one, or leave 'prune' out");
        }
        return plans;
    }

    /**
     * k at a point of the prune phases: {@code round(goal + (start − goal)(1 − p / over)³)}.
     *
     * @param progress p, 0 at their start and 1 at their end
     * @return falls from {@link #startK} to {@link #goalK}, which it has from {@code over} on, exactly
     */
    public long k(double progress) {
        if (progress >= over) {
            return goalK;
        }
        double left = 1 - Math.max(0, progress) / over;
        return Math.round(goalK + (startK - goalK) * left * left * left);
    }

    /** The part of the layer's weights that stays in the end. */
    public double density() {
        return (double) goalK / layout.candidates();
    }

    private static LayerPlan plan(PruneLayerRecipe rule, Network.Weight weight) {
        Keep goal = rule.keep().goal();
        String layer = weight.layer();
        int m = goal.isNOfM() ? Math.toIntExact(goal.n()) : 0;
        MaskLayout layout = MaskLayout.of(layer, rule.unit(), weight.shape(), m, rule.share());
        long n = layout.candidates();
        long k = goal.resolve(layer, n);
        long start = rule.keep().start(layer, n, k);
        return new LayerPlan(weight, layout, start, k, rule.keep().over());
    }

    private static KofnException unmatched(int rule, String match, Network network) {
        List<String> names =
                network.weights().stream().map(Network.Weight::layer).toList();
        String hint = LayerMatch.isName(match) ? Suggest.hint(match, names) : "; it has: " + String.join(", ", names);
        return KofnException.usage(
                "prune.layers[%d].match: '%s' matches no layer of %s that has weights%s",
                rule, match, network.name(), hint);
    }
}
