package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MaskCodeTest {
    @Test
    void indicesAreAscendingAndLeastSignificantBitFirst() {
        // Two groups of n = 5, k = 2, three bits an index: {1, 4} and {0, 3} make 1 + 4·8 + 0·64 + 3·512 = 1569.
        byte[] mask = {0, 1, 0, 0, 1, 1, 0, 0, 1, 0};
        byte[] code = MaskCode.INDICES.pack(mask, 5, 2);
        assertThat(code).containsExactly(1569 & 0xFF, 1569 >> 8);
        assertThat(MaskCode.INDICES.unpack(code, 2, 5, 2)).isEqualTo(mask);
    }

    @Test
    void bitmapsHaveNoPaddingBetweenGroups() {
        byte[] mask = {0, 1, 0, 0, 1, 1, 0, 0, 1, 0};
        byte[] code = MaskCode.BITMAP.pack(mask, 5, 2);
        assertThat(code).containsExactly(0b00110010, 0b01);
        assertThat(MaskCode.BITMAP.unpack(code, 2, 5, 2)).isEqualTo(mask);
    }

    @ParameterizedTest
    @CsvSource({"784,78,INDICES", "784,79,BITMAP", "4,2,BITMAP", "4,1,INDICES", "2,1,INDICES", "8,8,NONE", "1,1,NONE"})
    void theSmallerCodeIsChosen(long n, long k, MaskCode expected) {
        assertThat(MaskCode.smallest(n, k)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"1,0", "2,1", "3,2", "4,2", "5,3", "784,10", "1024,10", "1025,11"})
    void anIndexTakesTheBitsOfTheLargest(long n, int bits) {
        assertThat(MaskCode.indexBits(n)).isEqualTo(bits);
    }

    @Test
    void whatIsNoMaskIsRefused() {
        // n = 5, k = 2, one group: six bits.
        refused(MaskCode.INDICES, 1 | 5 << 3, "group 0: index 5 is not below n = 5");
        refused(MaskCode.INDICES, 2 | 2 << 3, "group 0: index 2 follows 2; indices must ascend, each once");
        refused(MaskCode.INDICES, 3 | 1 << 3, "group 0: index 1 follows 3");
        refused(MaskCode.INDICES, 1 | 2 << 3 | 1 << 6, "bits are set beyond the last group");
        refused(MaskCode.BITMAP, 0b00111, "group 0: the bitmap keeps 3, not k = 2");
        refused(MaskCode.BITMAP, 0b00001, "group 0: the bitmap keeps 1, not k = 2");
        refused(MaskCode.BITMAP, 0b100011, "bits are set beyond the last group");
    }

    private static void refused(MaskCode code, int bits, String message) {
        assertThatThrownBy(() -> code.unpack(new byte[] {(byte) bits}, 1, 5, 2))
                .isInstanceOf(MaskCode.Damaged.class)
                .hasMessageContaining(message);
    }
}
