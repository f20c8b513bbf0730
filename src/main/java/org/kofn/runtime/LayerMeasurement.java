package org.kofn.runtime;

import java.util.Comparator;
import java.util.List;

/**
 * How long a layer took on this machine: dense, and by the sparse kernel at some densities. Medians in milliseconds.
 *
 * @param layer what was measured
 * @param denseMs the dense operation as {@link SparseNetwork} runs it where the sparse kernel does not pay
 * @param bestDenseMs the fastest of LibTorch's dense layouts
 * @param bestLayout which one that was
 * @param sparse by density, ascending
 * @param n repetitions of each
 */
public record LayerMeasurement(
        LayerCase layer, double denseMs, double bestDenseMs, String bestLayout, List<Point> sparse, int n) {
    /** The sparse kernel at one density. */
    public record Point(double density, double ms) {
        /** Checks the ranges. */
        public Point {
            if (!(density > 0 && density <= 1) || !(ms > 0)) {
                throw new IllegalArgumentException(ms + " ms at density " + density);
            }
        }
    }

    /** Sorts the points. */
    public LayerMeasurement {
        if (layer == null || !(denseMs > 0) || !(bestDenseMs > 0) || sparse == null || sparse.isEmpty()) {
            throw new IllegalArgumentException("an incomplete measurement of " + layer);
        }
        sparse = sparse.stream()
                .sorted(Comparator.comparingDouble(Point::density))
                .toList();
    }

    /** The density at which both are equally fast, where the alternative is the runtime's own dense operation. */
    public double breakEven() {
        return breakEven(denseMs);
    }

    /** The same against the fastest dense layout. */
    public double bestBreakEven() {
        return breakEven(bestDenseMs);
    }

    /**
     * Time is nearly linear in density, so between two points it is interpolated. Below the smallest density nothing is
     * known, so a kernel that is slower there never wins.
     */
    private double breakEven(double dense) {
        Point faster = null;
        for (Point point : sparse) {
            if (point.ms() > dense) {
                return faster == null
                        ? 0
                        : faster.density()
                                + (dense - faster.ms())
                                        / (point.ms() - faster.ms())
                                        * (point.density() - faster.density());
            }
            faster = point;
        }
        return faster.density();
    }
}
