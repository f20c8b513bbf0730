package org.kofn.torch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Known-answer vectors of Philox4x32-10, published with the Random123 library (kat_vectors). */
class PhiloxTest {
    @Test
    void zeroCounterAndKey() {
        assertThat(Philox.words(0, 0, 0, 0, 0)).containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
    }

    @Test
    void allOnes() {
        assertThat(Philox.words(-1L, -1, -1, -1, -1)).containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
    }

    @Test
    void digitsOfPi() {
        long key = 0x299f31d0_a4093822L;
        assertThat(Philox.words(key, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344))
                .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    @Test
    void fillCountsTheFirstWordUp() {
        int[] out = new int[9];
        Philox.fill(7, 5, 1, 2, 3, out, 1, 2);
        assertThat(out[0]).isZero();
        assertThat(java.util.Arrays.copyOfRange(out, 5, 9)).isEqualTo(Philox.words(7, 6, 1, 2, 3));
    }

    @Test
    void purposesDoNotShareRandomNumbers() {
        assertThat(Philox.derive(1, 1, 0, 0)).isNotEqualTo(Philox.derive(1, 2, 0, 0));
    }
}
