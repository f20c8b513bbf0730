package org.kofn.bench;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What came out of one case of {@code kofn bench sample}; the keys of its JSON. Times are medians in milliseconds,
 * rates are of ours.
 *
 * @param name the case
 * @param baselineMs LibTorch operations, forward and backward
 * @param oursMs the kernels, forward and backward
 * @param ratio baseline through ours
 * @param n repetitions of each
 * @param candidatesPerS candidates through a whole forward and backward, a second
 * @param bytesPerS bytes of the floor ({@link SampleCase#forwardBytes}, {@link SampleCase#backwardBytes}) a second
 * @param bandwidthShare that over the measured bandwidth of a copy
 * @param copyBytesPerS the bandwidth of a copy
 * @param baseline what the baseline is
 * @param kernels which implementation ours is
 */
public record SampleResult(
        @JsonProperty("case") String name,
        double baselineMs,
        double oursMs,
        double ratio,
        int n,
        double baselineForwardMs,
        double oursForwardMs,
        double forwardRatio,
        double baselineBackwardMs,
        double oursBackwardMs,
        double backwardRatio,
        double baselineP20Ms,
        double baselineP80Ms,
        double oursP20Ms,
        double oursP80Ms,
        int layers,
        long candidates,
        long weights,
        double candidatesPerS,
        double bytesPerS,
        double bandwidthShare,
        double forwardBytesPerS,
        double forwardBandwidthShare,
        double backwardBytesPerS,
        double backwardBandwidthShare,
        double copyBytesPerS,
        String baseline,
        String kernels,
        String device,
        int threads) {}
