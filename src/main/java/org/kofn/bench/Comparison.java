package org.kofn.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;

/**
 * Measures two sides in turn, baseline, ours, baseline, ours …, so that a slower minute of the machine hits both. Each
 * side is a sequence of parts, such as forward and backward, timed one by one.
 */
public final class Comparison {
    private final Stopwatch stopwatch;
    private final LongSupplier nanoseconds;
    private final Effort effort;

    /** Comparisons on a device. */
    public Comparison(Stopwatch stopwatch, Effort effort) {
        this(stopwatch, System::nanoTime, effort);
    }

    /** Comparisons whose effort is measured by another clock. */
    Comparison(Stopwatch stopwatch, LongSupplier nanoseconds, Effort effort) {
        this.stopwatch = stopwatch;
        this.nanoseconds = nanoseconds;
        this.effort = effort;
    }

    /**
     * What came out for one side.
     *
     * @param total of all parts together
     * @param parts in their order
     */
    public record Side(Timing total, List<Timing> parts) {}

    /**
     * Both sides.
     *
     * @param pairedRatio the median of every round's own baseline through ours, in which what changes more slowly than
     *     a round cancels out: for small differences
     */
    public record Result(Side baseline, Side ours, double pairedRatio) {
        /** How many times faster ours is. */
        public double ratio() {
            return baseline.total().median() / ours.total().median();
        }
    }

    /** Measures; what the parts take of native memory is released after every repetition. */
    public Result run(List<Runnable> baseline, List<Runnable> ours) {
        long start = nanoseconds.getAsLong();
        for (int rounds = 0; effort.isCold(rounds, since(start)); rounds++) {
            repetition(baseline);
            repetition(ours);
        }
        List<double[]> baselineTimes = new ArrayList<>();
        List<double[]> oursTimes = new ArrayList<>();
        start = nanoseconds.getAsLong();
        while (effort.isWanted(oursTimes.size(), since(start))) {
            baselineTimes.add(repetition(baseline));
            oursTimes.add(repetition(ours));
        }
        double[] ratios = IntStream.range(0, oursTimes.size())
                .mapToDouble(round -> sum(baselineTimes.get(round)) / sum(oursTimes.get(round)))
                .toArray();
        return new Result(
                side(baselineTimes), side(oursTimes), Timing.of(ratios).median());
    }

    private double since(long start) {
        return (nanoseconds.getAsLong() - start) / 1e9;
    }

    private double[] repetition(List<Runnable> parts) {
        double[] times = new double[parts.size()];
        try (PointerScope scope = new PointerScope()) {
            for (int part = 0; part < times.length; part++) {
                times[part] = stopwatch.milliseconds(parts.get(part));
            }
        }
        return times;
    }

    private static Side side(List<double[]> repetitions) {
        List<Timing> parts = new ArrayList<>();
        for (int part = 0; part < repetitions.get(0).length; part++) {
            int at = part;
            parts.add(Timing.of(
                    repetitions.stream().mapToDouble(times -> times[at]).toArray()));
        }
        double[] totals = repetitions.stream().mapToDouble(Comparison::sum).toArray();
        return new Side(Timing.of(totals), parts);
    }

    private static double sum(double[] parts) {
        return Arrays.stream(parts).sum();
    }
}
