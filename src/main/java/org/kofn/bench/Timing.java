package org.kofn.bench;

import java.util.Arrays;

/**
 * How long something took, over repetitions. The median rather than the mean, since a machine is disturbed in one
 * direction only.
 *
 * @param median in milliseconds
 * @param p20 the time that a fifth of the repetitions stayed below
 * @param p80 the time that four fifths stayed below
 * @param p99 the time that only a hundredth took longer than; of few repetitions, next to the longest
 * @param n repetitions
 */
public record Timing(double median, double p20, double p80, double p99, int n) {

    /** The summary of these times, in milliseconds. */
    public static Timing of(double[] milliseconds) {
        if (milliseconds.length == 0) {
            throw new IllegalArgumentException("nothing was measured");
        }
        double[] sorted = milliseconds.clone();
        Arrays.sort(sorted);
        return new Timing(
                quantile(sorted, 0.5),
                quantile(sorted, 0.2),
                quantile(sorted, 0.8),
                quantile(sorted, 0.99),
                sorted.length);
    }

    /** Between the two order statistics at (n − 1)·q, in proportion. */
    private static double quantile(double[] sorted, double q) {
        double place = (sorted.length - 1) * q;
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
