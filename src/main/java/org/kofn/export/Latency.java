package org.kofn.export;

import java.util.Arrays;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * How long two models take for the same images, in turn, so that a slower moment of the machine hits both.
 *
 * @param oneMs the median of the first, in milliseconds
 * @param otherMs the median of the second
 * @param runs of each
 */
record Latency(double oneMs, double otherMs, int runs) {
    private static final int WARM_UP = 5;
    private static final int FEWEST = 5;
    private static final int MOST = 101;
    private static final long NANOSECONDS = 1_000_000_000L;

    /** Measures, for about a second and after a warm-up: 5 to 101 runs of each. */
    static Latency measure(UnaryOperator<Tensor> one, UnaryOperator<Tensor> other, Tensor images) {
        for (int run = 0; run < WARM_UP; run++) {
            time(one, images);
            time(other, images);
        }
        double[] ones = new double[MOST];
        double[] others = new double[MOST];
        int runs = 0;
        long start = System.nanoTime();
        while (runs < FEWEST || runs < MOST && System.nanoTime() - start < NANOSECONDS) {
            ones[runs] = time(one, images);
            others[runs++] = time(other, images);
        }
        return new Latency(median(ones, runs), median(others, runs), runs);
    }

    private static double time(UnaryOperator<Tensor> model, Tensor images) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            long start = System.nanoTime();
            model.apply(images);
            return (System.nanoTime() - start) / 1e6;
        }
    }

    private static double median(double[] times, int count) {
        double[] sorted = Arrays.copyOf(times, count);
        Arrays.sort(sorted);
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    }
}
