package org.kofn.kernels;

import org.kofn.mask.MaskLayout;

/** Which weight belongs to which candidate, written down once more from the definitions, without views or strides. */
final class IndexOracle {
    private IndexOracle() {}

    /**
     * Element by element of a weight [O, I, R, S]: whether its candidate is kept by the mask [G, n] (bytes, row-major).
     */
    static boolean[] keptElements(MaskLayout layout, byte[] mask) {
        long[] shape = layout.shape();
        int o = (int) shape[0];
        int i = (int) shape[1];
        int rs = shape.length == 4 ? (int) (shape[2] * shape[3]) : 1;
        int n = (int) layout.candidates();
        boolean[] kept = new boolean[o * i * rs];
        for (int out = 0; out < o; out++) {
            for (int in = 0; in < i; in++) {
                for (int tap = 0; tap < rs; tap++) {
                    int band = out / layout.share();
                    int group;
                    int candidate;
                    switch (layout.granularity()) {
                        case WEIGHT -> {
                            group = band;
                            candidate = in * rs + tap;
                        }
                        case KERNEL -> {
                            group = band;
                            candidate = in;
                        }
                        case FILTER -> {
                            group = 0;
                            candidate = out;
                        }
                        default -> {
                            group = (band * (i / n) + in / n) * rs + tap;
                            candidate = in % n;
                        }
                    }
                    kept[(out * i + in) * rs + tap] = mask[group * n + candidate] != 0;
                }
            }
        }
        return kept;
    }
}
