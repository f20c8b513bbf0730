package org.kofn.mask;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.bytedeco.javacpp.PointerScope;
import org.junit.jupiter.api.Test;
import org.kofn.torch.Tensors;

/** Confidence and diversity at the corners where they are known. */
class MaskMetricsTest {
    private static MaskMetrics of(long groups, long candidates, float... logits) {
        try (PointerScope scope = new PointerScope()) {
            return MaskMetrics.of(Tensors.of(logits, groups, candidates));
        }
    }

    @Test
    void uniformLogitsHaveNeither() {
        MaskMetrics metrics = of(2, 4, 1, 1, 1, 1, -3, -3, -3, -3);
        assertThat(metrics.confidence()).isCloseTo(0, within(1e-12));
        assertThat(metrics.diversity()).isCloseTo(0, within(1e-12));
    }

    @Test
    void decidedGroupsThatAgreeAreConfidentAndNotDiverse() {
        MaskMetrics metrics = of(2, 2, 100, 0, 100, 0);
        assertThat(metrics.confidence()).isCloseTo(1, within(1e-12));
        assertThat(metrics.diversity()).isCloseTo(0, within(1e-12));
    }

    @Test
    void decidedGroupsThatDifferAreConfidentAndDiverse() {
        MaskMetrics metrics = of(2, 2, 100, 0, 0, 100);
        assertThat(metrics.confidence()).isCloseTo(1, within(1e-12));
        assertThat(metrics.diversity()).isCloseTo(1, within(1e-12));
    }

    @Test
    void twoCandidatesWithOddsOfThreeToOne() {
        // H(3/4, 1/4) = 0.8113 bits.
        assertThat(of(1, 2, (float) Math.log(3), 0).confidence()).isCloseTo(1 - 0.811278, within(1e-6));
    }

    @Test
    void aSingleCandidateHasNothingToChoose() {
        assertThat(of(2, 1, 5, -5)).isEqualTo(new MaskMetrics(1, 0));
    }
}
