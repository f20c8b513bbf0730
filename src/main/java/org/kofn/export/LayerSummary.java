package org.kofn.export;

/**
 * A layer's row in {@code summary.json}.
 *
 * @param name the layer, such as {@code conv2}; its weight is {@code conv2.weight}
 * @param granularity what a candidate is: {@code weight}, {@code kernel}, {@code filter}, {@code n:m}; {@code dense}
 *     for a layer that is not pruned
 * @param groups G
 * @param n candidates in a group
 * @param k kept candidates in a group
 * @param share consecutive outputs that share one mask; 1 for none
 * @param bits of one stored weight
 * @param confidence of the mask distribution, 0 … 1; null where there is none
 * @param diversity of the groups' distributions, 0 … 1; null where there is none
 */
public record LayerSummary(
        String name,
        String granularity,
        long groups,
        long n,
        long k,
        int share,
        int bits,
        Double confidence,
        Double diversity) {}
