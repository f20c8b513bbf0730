package org.kofn.recipe;

import java.util.List;

/**
 * How weights follow their gradients. Short form: {@code optimizer: sgd}. Weight decay never touches biases, batch norm
 * or logits; logits have a rate of their own ({@link PruneRecipe#logitRate}).
 *
 * @param name one of {@link #NAMES}
 * @param rate the learning rate that the schedule starts from
 * @param weightDecay L2 penalty for sgd and adam, decoupled decay for adamw
 * @param momentum of sgd
 * @param nesterov of sgd: look ahead along the momentum; without momentum it changes nothing
 * @param beta1 of adam and adamw: decay of the mean of gradients
 * @param beta2 of adam and adamw: decay of the mean of squared gradients
 */
@ShortForm("name")
public record OptimizerRecipe(
        @Default("adam") String name,
        @Default("1e-3") double rate,
        @Default("0") double weightDecay,
        @Default("0.9") double momentum,
        @Default("true") boolean nesterov,
        @Default("0.9") double beta1,
        @Default("0.999") double beta2) {
    /** The optimisers there are. */
    public static final List<String> NAMES = List.of("sgd", "adam", "adamw");

    /** Checks the name and the ranges. */
    public OptimizerRecipe {
        Check.oneOf("name", "optimizer", name, NAMES);
        Check.positive("rate", rate);
        Check.atLeast("weight-decay", 0, weightDecay);
        Check.belowOne("momentum", momentum);
        Check.belowOne("beta1", beta1);
        Check.belowOne("beta2", beta2);
    }
}
