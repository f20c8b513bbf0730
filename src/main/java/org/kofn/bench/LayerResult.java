package org.kofn.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Optional;
import org.kofn.kernels.Precision;
import org.kofn.runtime.LayerCase;
import org.kofn.runtime.LayerMeasurement;
import org.kofn.runtime.LayerShape;

/**
 * What came out for one layer of {@code kofn bench conv} or {@code linear}; the keys of its JSON. Times are medians in
 * milliseconds.
 *
 * @param name network and layer
 * @param times how often the network has such a layer
 * @param shape the layer
 * @param batch images
 * @param threads that computed; 0 on a GPU
 * @param precision of activations and weights
 * @param cold whether caches were flushed before every repetition
 * @param memoryKept whether malloc keeps what tensors free, see {@link LayerBench#keepsMemory}
 * @param denseMs the fastest of LibTorch's dense layouts
 * @param denseLayout which one that was
 * @param denseGflopPerS its speed
 * @param n repetitions of each
 * @param dense all layouts
 * @param sparse the sparse kernel at every density
 */
public record LayerResult(
        @JsonProperty("case") String name,
        int times,
        LayerShape shape,
        int batch,
        int threads,
        Precision precision,
        boolean cold,
        boolean memoryKept,
        double denseMs,
        String denseLayout,
        double denseGflopPerS,
        int n,
        List<Dense> dense,
        List<Sparse> sparse) {
    /**
     * One of LibTorch's layouts.
     *
     * @param failure why it was not measured; null where it was, and then the times are not null
     */
    public record Dense(String layout, Double ms, Double p20Ms, Double p80Ms, String failure) {}

    /**
     * The sparse kernel at one density.
     *
     * @param one the density as one through this
     * @param kept k
     * @param ratio how many times faster than the fastest dense layout
     * @param gflopPerS operations of kept weights over time
     * @param kernel the loops that ran
     */
    public record Sparse(
            @JsonProperty("density_one_in") int one,
            int kept,
            double ms,
            double p20Ms,
            double p80Ms,
            double ratio,
            double gflopPerS,
            String kernel) {}

    /** The result at a density of one through {@code denominator}, if it was measured. */
    public Optional<Sparse> at(int denominator) {
        return sparse.stream().filter(point -> point.one() == denominator).findFirst();
    }

    /** What the dispatcher learns from it. */
    public LayerMeasurement measurement() {
        List<LayerMeasurement.Point> points = sparse.stream()
                .map(point -> new LayerMeasurement.Point((double) point.kept() / shape.inputs(), point.ms()))
                .toList();
        Double own = dense.get(0).ms();
        return new LayerMeasurement(
                new LayerCase(shape, batch, threads, precision),
                own == null ? denseMs : own,
                denseMs,
                denseLayout,
                points,
                n);
    }
}
