package org.kofn.bench;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What came out of one case of {@code kofn bench step}; the keys of its JSON. Times are medians of a step in
 * milliseconds.
 *
 * @param name the case
 * @param baselineMs the step of the dense network
 * @param oursMs the step that samples masks and learns their logits
 * @param ratio baseline through ours
 * @param overheadPercent how much longer ours takes
 * @param pairedOverheadPercent the same from the median of every round's own ratio: steadier on a busy machine
 * @param n repetitions of each
 * @param kernelsMs the part of ours that is spent in the kernels; null on a GPU, where nobody waits for them
 * @param batch images a step
 * @param prunedLayers layers with masks
 * @param candidates candidates of them all
 * @param kernels which implementation samples
 */
public record StepResult(
        @JsonProperty("case") String name,
        double baselineMs,
        double oursMs,
        double ratio,
        double overheadPercent,
        double pairedOverheadPercent,
        int n,
        double baselineP20Ms,
        double baselineP80Ms,
        double oursP20Ms,
        double oursP80Ms,
        Double kernelsMs,
        int batch,
        int prunedLayers,
        long candidates,
        String kernels,
        String device,
        int threads) {}
