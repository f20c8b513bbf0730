package org.kofn.data;

import org.kofn.torch.Philox;

/** Random orders that follow from a key alone. */
final class Permutation {
    private static final int CHUNK = 1024;

    private Permutation() {}

    /**
     * A random order of 0 … size − 1: the shuffle of R. A. Fisher and F. Yates, downwards as in D. E. Knuth's algorithm
     * P, on the words of Philox under {@code key}. A place among m is the high half of word·m, off from uniform by less
     * than m/2³².
     */
    static int[] of(long key, int size) {
        int[] order = new int[size];
        for (int i = 0; i < size; i++) {
            order[i] = i;
        }
        int[] words = new int[4 * CHUNK];
        for (int last = size - 1, used = 0; last > 0; last--, used++) {
            int at = used % words.length;
            if (at == 0) {
                Philox.fill(key, used / 4, 0, 0, 0, words, 0, CHUNK);
            }
            int other = below(words[at], last + 1);
            int swapped = order[last];
            order[last] = order[other];
            order[other] = swapped;
        }
        return order;
    }

    /** A number in 0 … bound − 1 from a random word. */
    static int below(int word, int bound) {
        return (int) ((word & 0xffffffffL) * bound >>> 32);
    }
}
