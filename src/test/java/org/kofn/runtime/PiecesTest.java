package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.kofn.base.KofnException;

class PiecesTest {
    @Test
    void resultsAreInOrder() {
        try (Pieces pieces = new Pieces(2)) {
            List<Callable<Integer>> squares = IntStream.range(0, 9)
                    .<Callable<Integer>>mapToObj(i -> () -> i * i)
                    .toList();
            assertThat(pieces.run(squares)).containsExactly(0, 1, 4, 9, 16, 25, 36, 49, 64);
        }
    }

    @Test
    void runAtTheSameTime() {
        CountDownLatch met = new CountDownLatch(2);
        Callable<Boolean> meets = () -> {
            met.countDown();
            met.await();
            return true;
        };
        try (Pieces pieces = new Pieces(2)) {
            assertThat(pieces.run(List.of(meets, meets))).containsExactly(true, true);
        }
    }

    @Test
    void theCallerSeesWhatAPieceThrew() {
        try (Pieces pieces = new Pieces(2)) {
            Callable<Integer> fails = () -> {
                throw KofnException.usage("of a piece");
            };
            assertThatThrownBy(() -> pieces.run(List.of(() -> 1, fails)))
                    .isInstanceOf(KofnException.class)
                    .hasMessage("of a piece");
        }
    }
}
