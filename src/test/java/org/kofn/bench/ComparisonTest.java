package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.kofn.base.KofnException;

/** With a clock that work alone moves. */
class ComparisonTest {
    private long now;
    private final List<String> calls = new ArrayList<>();

    private Comparison comparison(Effort effort) {
        return new Comparison(Stopwatch.wall(() -> now), () -> now, effort);
    }

    private Runnable work(String name, double milliseconds) {
        return () -> {
            calls.add(name);
            now += Math.round(milliseconds * 1e6);
        };
    }

    @Test
    void sidesTakeTurnsAfterWarmingUp() {
        Comparison.Result result = comparison(new Effort(3, 1))
                .run(List.of(work("A", 30), work("a", 10)), List.of(work("B", 4), work("b", 1)));
        assertThat(String.join("", calls)).isEqualTo("AaBb".repeat(2 + 3));
        assertThat(result.baseline().total()).isEqualTo(new Timing(40, 40, 40, 40, 3));
        assertThat(result.baseline().parts()).extracting(Timing::median).containsExactly(30.0, 10.0);
        assertThat(result.ours().parts()).extracting(Timing::median).containsExactly(4.0, 1.0);
        assertThat(result.ratio()).isEqualTo(8);
        assertThat(result.pairedRatio()).isEqualTo(8);
    }

    @Test
    void anyNumberOfSidesTakeTurns() {
        List<Comparison.Side> sides = comparison(new Effort(2, 1))
                .run(List.of(List.of(work("A", 3)), List.of(work("B", 2)), List.of(work("C", 1))));
        assertThat(String.join("", calls)).isEqualTo("ABC".repeat(2 + 2));
        assertThat(sides).extracting(side -> side.total().median()).containsExactly(3.0, 2.0, 1.0);
    }

    /** The medians are of different rounds, and equal; in its own round, baseline took 1, 2 and 3 times as long. */
    @Test
    void pairsAreOfTheSameRound() {
        int[] round = {0};
        long[] baseline = {1, 1, 10, 2, 300};
        long[] ours = {1, 1, 10, 1, 100};
        Comparison.Result result = comparison(new Effort(3, 1))
                .run(List.of(() -> now += baseline[round[0]]), List.of(() -> now += ours[round[0]++]));
        assertThat(result.ratio()).isEqualTo(1);
        assertThat(result.pairedRatio()).isEqualTo(2);
    }

    @Test
    void warmingUpDoesNotCount() {
        int[] round = {0};
        Runnable slowAtFirst = () -> now += (round[0]++ < 2 ? 1000 : 3) * 1_000_000L;
        Comparison.Result result = comparison(new Effort(4, 1)).run(List.of(slowAtFirst), List.of(work("B", 1)));
        assertThat(result.baseline().total()).isEqualTo(new Timing(3, 3, 3, 3, 4));
    }

    @Test
    void totalsAreOfTheSameRepetition() {
        int[] round = {0};
        // Forward and backward swap times from one repetition to the next; together they always take 12.
        Runnable first = () -> now += (round[0] % 2 == 0 ? 10 : 2) * 1_000_000L;
        Runnable second = () -> now += (round[0]++ % 2 == 0 ? 2 : 10) * 1_000_000L;
        Comparison.Result result =
                comparison(new Effort(6, 1)).run(List.of(first, second), List.of(work("B", 1), work("b", 1)));
        assertThat(result.baseline().total()).isEqualTo(new Timing(12, 12, 12, 12, 6));
        assertThat(result.baseline().parts()).extracting(Timing::median).containsExactly(6.0, 6.0);
    }

    @Test
    void timeDecidesWhereRepeatsDoNot() {
        Comparison.Result quick = comparison(new Effort(0, 1)).run(List.of(work("A", 15)), List.of(work("B", 5)));
        assertThat(quick.ours().total().n()).isEqualTo(50);
        // A tenth of the time went into warming up: 5 rounds of 20 ms.
        assertThat(calls).hasSize(2 * (5 + 50));
        Comparison.Result slow = comparison(new Effort(0, 1)).run(List.of(work("A", 9000)), List.of(work("B", 5)));
        assertThat(slow.ours().total().n()).isEqualTo(Effort.LEAST);
        Comparison.Result tiny = comparison(new Effort(0, 1)).run(List.of(work("A", 1e-3)), List.of(work("B", 1e-3)));
        assertThat(tiny.ours().total().n()).isEqualTo(Effort.MOST);
        assertThat(tiny.ratio()).isCloseTo(1, within(1e-9));
    }

    @Test
    void effortsThatMeanNothingAreRefused() {
        assertThatThrownBy(() -> new Effort(-1, 1))
                .isInstanceOf(KofnException.class)
                .hasMessage("--repeats: must not be negative, as -1 is");
        for (double seconds : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThatThrownBy(() -> new Effort(0, seconds))
                    .isInstanceOf(KofnException.class)
                    .hasMessage("--seconds: must be above 0, not " + seconds);
        }
    }
}
