package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TimingTest {
    @Test
    void quantilesLieBetweenOrderStatistics() {
        assertThat(Timing.of(new double[] {9, 1, 5, 3, 7, 11})).isEqualTo(new Timing(6, 3, 9, 6));
        assertThat(Timing.of(new double[] {4, 2, 3})).isEqualTo(new Timing(3, 2.4, 3.6, 3));
        assertThat(Timing.of(new double[] {8})).isEqualTo(new Timing(8, 8, 8, 1));
    }

    @Test
    void oneSlowRepetitionDoesNotMoveTheMedian() {
        assertThat(Timing.of(new double[] {1, 1, 1, 1, 1000}).median()).isEqualTo(1);
    }

    @Test
    void nothingHasNoMedian() {
        assertThatThrownBy(() -> Timing.of(new double[0])).isInstanceOf(IllegalArgumentException.class);
    }
}
