package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void columnsAreAlignedNumbersToTheRight() {
        assertThat(new Table("layer", "k/n", "bytes")
                        .row("conv1", "9/9", "1,024")
                        .row("fc", "51/512", null)
                        .lines())
                .containsExactly("layer     k/n  bytes", "conv1     9/9  1,024", "fc     51/512      -");
    }

    @Test
    void wordsStayLeftAndLinesEndWithoutBlanks() {
        assertThat(new Table("a", "where").row(1, "x").row(20, "a longer place").lines())
                .containsExactly(" a  where", " 1  x", "20  a longer place");
    }
}
