package org.kofn.torch;

/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
 * 2, 3" (SC 2011): ten rounds that turn a 128-bit counter and a 64-bit key into four random 32-bit words. There is no
 * state, so a draw depends on (seed, step, layer, …) alone: not on the device, the number of threads or ranks, nor on
 * whether the run was interrupted and resumed.
 */
public final class Philox {
    private static final long M0 = 0xD2511F53L;
    private static final long M1 = 0xCD9E8D57L;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;

    private Philox() {}

    /**
     * Fills {@code out} with the four words of each of the counters (c0 … c0 + count − 1, c1, c2, c3), in order.
     *
     * @param seed the key: low word first
     * @param out receives 4·count words from {@code offset} on
     */
    public static void fill(long seed, int c0, int c1, int c2, int c3, int[] out, int offset, int count) {
        for (int i = 0; i < count; i++) {
            int x0 = c0 + i;
            int x1 = c1;
            int x2 = c2;
            int x3 = c3;
            int k0 = (int) seed;
            int k1 = (int) (seed >>> 32);
            for (int round = 0; round < 10; round++) {
                long p0 = M0 * (x0 & 0xFFFFFFFFL);
                long p1 = M1 * (x2 & 0xFFFFFFFFL);
                x0 = (int) (p1 >>> 32) ^ x1 ^ k0;
                x2 = (int) (p0 >>> 32) ^ x3 ^ k1;
                x1 = (int) p1;
                x3 = (int) p0;
                k0 += W0;
                k1 += W1;
            }
            int at = offset + 4 * i;
            out[at] = x0;
            out[at + 1] = x1;
            out[at + 2] = x2;
            out[at + 3] = x3;
        }
    }

    /** The four words of one counter. */
    public static int[] words(long seed, int c0, int c1, int c2, int c3) {
        int[] out = new int[4];
        fill(seed, c0, c1, c2, c3, out, 0, 1);
        return out;
    }

    /** A seed for a purpose of its own, so that data order, augmentation and masks never share random numbers. */
    public static long derive(long seed, int purpose, int a, int b) {
        int[] w = words(seed, purpose, a, b, 0x6B6F666E);
        return (w[0] & 0xFFFFFFFFL) | ((long) w[1] << 32);
    }
}
