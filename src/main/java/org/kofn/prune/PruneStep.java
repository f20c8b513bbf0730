package org.kofn.prune;

/**
 * What a pruning method is told about a step; schedules are the recipe's business.
 *
 * @param step the training step, counted over the whole run: part of the random counter
 * @param phaseStep the step, counted from the first step of the pruning phases
 * @param temperature τ
 * @param noise s, the scale of the Gumbel noise
 * @param entropy β, the weight of the entropy term
 */
public record PruneStep(int step, long phaseStep, double temperature, double noise, double entropy) {}
