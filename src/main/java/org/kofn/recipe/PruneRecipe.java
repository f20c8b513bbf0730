package org.kofn.recipe;

import java.util.List;

/**
 * What is pruned, and how. Keys that the chosen method does not use are checked and otherwise without effect, so that
 * {@code --set prune.method=magnitude} turns any recipe into its own baseline.
 *
 * @param method one of {@link #METHODS}: dynamic probabilistic pruning, exact top-k of magnitudes, or chance
 * @param temperature dpp: of the relaxed draws in the backward pass; high spreads the gradient over all candidates
 * @param noise dpp: scale of the Gumbel noise on the logits
 * @param entropy dpp: weight of the entropy term
 * @param init dpp: logits start {@code normal}, or at the {@code magnitude} of what they stand for
 * @param initStd dpp: standard deviation of normal logits; null for 0.5 where candidates are weights (also n:m), 1
 *     where they are kernels or filters
 * @param logitRate dpp: learning rate of the logits over the prune phases; they are stepped by Adam
 * @param denseGradient whether weights that were not drawn learn as well
 * @param every magnitude and random: steps between new masks
 * @param layers the rules, of which the last that matches a layer wins
 */
public record PruneRecipe(
        @Default("dpp") String method,
        @Default("{from: 5, to: 0.5, shape: linear}") Anneal temperature,
        @Default("{from: 0.1, to: 0.001, shape: geometric}") Anneal noise,
        @Default("0") Anneal entropy,
        @Default("normal") String init,
        @Default(Default.NONE) Double initStd,
        @Default("0.05") Anneal logitRate,
        @Default("true") boolean denseGradient,
        @Default("16") int every,
        List<PruneLayerRecipe> layers) {
    /** The methods there are. */
    public static final List<String> METHODS = List.of("dpp", "magnitude", "random");

    /** The ways to start logits. */
    public static final List<String> INITS = List.of("normal", "magnitude");

    /** Checks names and ranges, and that there is a rule. */
    public PruneRecipe {
        layers = List.copyOf(layers);
        Check.oneOf("method", "pruning method", method, METHODS);
        Check.positive("temperature", Math.min(temperature.from(), temperature.to()));
        Check.oneOf("init", "initialisation", init, INITS);
        if (initStd != null) {
            Check.positive("init-std", initStd);
        }
        Check.positive("logit-rate", Math.min(logitRate.from(), logitRate.to()));
        Check.atLeast("every", 1, every);
        if (layers.isEmpty()) {
            throw Check.error("layers", "is empty; choose what to prune, as in {match: fc1, keep: 10%%}");
        }
    }
}
