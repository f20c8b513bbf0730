package org.kofn.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import org.kofn.kernels.Precision;

/**
 * What came out for one engine and size of batch in {@code kofn bench model}; the keys of its JSON. Times are of one
 * batch, in milliseconds, of an engine whose weights are in the caches as far as they fit.
 *
 * @param name the case, {@code NETWORK/batch-B}
 * @param engine what ran
 * @param baseline whether the others' ratios are to this one
 * @param coldMs the median with the caches as the other engines left them
 * @param imagesPerS at the median
 * @param ratio the median of the fastest LibTorch through this one's
 * @param n repetitions
 * @param maxDifference the largest difference of a score to that of LibTorch's plain convolutions on the CPU
 * @param maxScore the largest score, to compare that with
 * @param peakLoadBytes {@link MemoryProbe#load}; null where memory is not measured
 * @param peakRunBytes {@link MemoryProbe#run}
 * @param fileBytes of the file that it reads
 * @param threads on a CPU; 0 on a GPU
 * @param precision of activations and weights
 */
public record ModelResult(
        @JsonProperty("case") String name,
        String engine,
        boolean baseline,
        int batch,
        double p50Ms,
        double p20Ms,
        double p80Ms,
        double p99Ms,
        double coldMs,
        double imagesPerS,
        double ratio,
        int n,
        double maxDifference,
        double maxScore,
        Long peakLoadBytes,
        Long peakRunBytes,
        long fileBytes,
        int threads,
        Precision precision) {}
