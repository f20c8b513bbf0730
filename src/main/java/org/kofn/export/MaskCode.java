package org.kofn.export;

import java.util.Arrays;

/**
 * A mask of exactly k of n in every group, as bits. Two codes: a {@link #BITMAP} spends n bits on a group, one a
 * candidate; {@link #INDICES} spends ⌈log₂ n⌉ bits on each kept candidate, ascending. The smaller one depends on the
 * density alone (at n = 784 indices win below 79 of 784), so a file chooses for each tensor. {@link #NONE} is k = n.
 *
 * <p>Both are one stream of bits over all groups, without padding between them. Bit i of the stream is bit i mod 8
 * (counted from the least significant) of byte ⌊i / 8⌋; an index is written least significant bit first; what is left
 * of the last byte is 0. Group g therefore starts at bit g·n or g·k·⌈log₂ n⌉.
 */
public enum MaskCode {
    /** Everything is kept, nothing is stored. */
    NONE("none") {
        @Override
        public long bits(long groups, long n, long k) {
            return 0;
        }

        @Override
        byte[] pack(byte[] mask, int n, int k) {
            return new byte[0];
        }

        @Override
        byte[] unpack(byte[] code, int groups, int n, int k) {
            byte[] mask = new byte[groups * n];
            Arrays.fill(mask, (byte) 1);
            return mask;
        }
    },

    /** Ascending indices of the kept candidates. */
    INDICES("indices") {
        @Override
        public long bits(long groups, long n, long k) {
            return groups * k * indexBits(n);
        }

        @Override
        byte[] pack(byte[] mask, int n, int k) {
            byte[] code = new byte[bytes(mask.length / n, n, k)];
            int width = indexBits(n);
            long pending = 0;
            int pendingBits = 0;
            int at = 0;
            for (int start = 0; start < mask.length; start += n) {
                for (int j = 0; j < n; j++) {
                    if (mask[start + j] != 0) {
                        pending |= (long) j << pendingBits;
                        for (pendingBits += width; pendingBits >= 8; pendingBits -= 8) {
                            code[at++] = (byte) pending;
                            pending >>>= 8;
                        }
                    }
                }
            }
            if (pendingBits > 0) {
                code[at] = (byte) pending;
            }
            return code;
        }

        @Override
        byte[] unpack(byte[] code, int groups, int n, int k) {
            byte[] mask = new byte[groups * n];
            int width = indexBits(n);
            long pending = 0;
            int pendingBits = 0;
            int at = 0;
            for (int g = 0; g < groups; g++) {
                int last = -1;
                for (int t = 0; t < k; t++) {
                    for (; pendingBits < width; pendingBits += 8) {
                        pending |= (code[at++] & 0xFFL) << pendingBits;
                    }
                    int index = (int) (pending & ((1L << width) - 1));
                    pending >>>= width;
                    pendingBits -= width;
                    if (index >= n) {
                        throw new Damaged("group " + g + ": index " + index + " is not below n = " + n);
                    }
                    if (index <= last) {
                        throw new Damaged("group " + g + ": index " + index + " follows " + last
                                + "; indices must ascend, each once");
                    }
                    mask[g * n + index] = 1;
                    last = index;
                }
            }
            requireZero(pending);
            return mask;
        }
    },

    /** One bit a candidate, set when it is kept. */
    BITMAP("bitmap") {
        @Override
        public long bits(long groups, long n, long k) {
            return groups * n;
        }

        @Override
        byte[] pack(byte[] mask, int n, int k) {
            byte[] code = new byte[bytes(mask.length / n, n, k)];
            for (int i = 0; i < mask.length; i++) {
                code[i >> 3] |= (byte) ((mask[i] & 1) << (i & 7));
            }
            return code;
        }

        @Override
        byte[] unpack(byte[] code, int groups, int n, int k) {
            byte[] mask = new byte[groups * n];
            for (int g = 0; g < groups; g++) {
                int kept = 0;
                for (int i = g * n; i < (g + 1) * n; i++) {
                    mask[i] = (byte) ((code[i >> 3] >> (i & 7)) & 1);
                    kept += mask[i];
                }
                if (kept != k) {
                    throw new Damaged("group " + g + ": the bitmap keeps " + kept + ", not k = " + k);
                }
            }
            requireZero((mask.length & 7) == 0 ? 0 : (code[mask.length >> 3] & 0xFF) >> (mask.length & 7));
            return mask;
        }
    };

    private final String label;

    MaskCode(String label) {
        this.label = label;
    }

    /** The name in a file. */
    public String label() {
        return label;
    }

    /** Bits of the whole mask. */
    public abstract long bits(long groups, long n, long k);

    /** Bytes of the whole mask. */
    public int bytes(long groups, long n, long k) {
        return Math.toIntExact((bits(groups, n, k) + 7) / 8);
    }

    /**
     * Packs a mask.
     *
     * @param mask [G·n], each 0 or 1, exactly k ones in every n
     */
    abstract byte[] pack(byte[] mask, int n, int k);

    /**
     * The mask [G·n] again.
     *
     * @param code exactly {@link #bytes} long
     * @throws Damaged when the bits are no mask of exactly k of n
     */
    abstract byte[] unpack(byte[] code, int groups, int n, int k);

    /** The code that takes the fewest bits; the bitmap when both take the same. */
    public static MaskCode smallest(long n, long k) {
        if (k == n) {
            return NONE;
        }
        return BITMAP.bits(1, n, k) <= INDICES.bits(1, n, k) ? BITMAP : INDICES;
    }

    /** ⌈log₂ n⌉: the bits of one index. */
    public static int indexBits(long n) {
        return 64 - Long.numberOfLeadingZeros(n - 1);
    }

    private static void requireZero(long rest) {
        if (rest != 0) {
            throw new Damaged("bits are set beyond the last group");
        }
    }

    /** Bits that are no mask; the message says which group. */
    static final class Damaged extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Damaged(String message) {
            super(message);
        }
    }
}
