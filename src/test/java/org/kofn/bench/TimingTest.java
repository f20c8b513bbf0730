package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TimingTest {
    @Test
    void quantilesLieBetweenOrderStatistics() {
        Timing six = Timing.of(new double[] {9, 1, 5, 3, 7, 11});
        assertThat(six).isEqualTo(new Timing(6, 3, 9, six.p99(), 6));
        assertThat(six.p99()).isCloseTo(10.9, within(1e-12));
        Timing three = Timing.of(new double[] {4, 2, 3});
        assertThat(three).isEqualTo(new Timing(3, 2.4, 3.6, three.p99(), 3));
        assertThat(Timing.of(new double[] {8})).isEqualTo(new Timing(8, 8, 8, 8, 1));
        double[] ramp = IntStream.rangeClosed(0, 100).mapToDouble(i -> i).toArray();
        assertThat(Timing.of(ramp)).isEqualTo(new Timing(50, 20, 80, 99, 101));
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
