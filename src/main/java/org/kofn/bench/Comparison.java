package org.kofn.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;

/**
 * Measures sides in turn, baseline, ours, baseline, ours …, so that a slower minute of the machine hits all. Each side
 * is a sequence of parts, such as forward and backward, timed one by one.
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
        List<List<double[]>> times = inTurn(List.of(baseline, ours));
        double[] ratios = IntStream.range(0, times.get(0).size())
                .mapToDouble(
                        round -> sum(times.get(0).get(round)) / sum(times.get(1).get(round)))
                .toArray();
        return new Result(
                side(times.get(0)), side(times.get(1)), Timing.of(ratios).median());
    }

    /** Measures any number of sides, in their order. */
    public List<Side> run(List<List<Runnable>> sides) {
        return inTurn(sides).stream().map(Comparison::side).toList();
    }

    /** The times of every side, repetition and part. */
    private List<List<double[]>> inTurn(List<List<Runnable>> sides) {
        long start = nanoseconds.getAsLong();
        for (int rounds = 0; effort.isCold(rounds, since(start)); rounds++) {
            sides.forEach(this::repetition);
        }
        List<List<double[]>> times = new ArrayList<>();
        sides.forEach(side -> times.add(new ArrayList<>()));
        start = nanoseconds.getAsLong();
        while (effort.isWanted(times.get(0).size(), since(start))) {
            for (int side = 0; side < sides.size(); side++) {
                times.get(side).add(repetition(sides.get(side)));
            }
        }
        return times;
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
