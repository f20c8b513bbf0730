package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

class KeptKernelsTest {
    private static KeptKernels lists(Granularity granularity, long[] shape, int m, int share, int... mask) {
        try (PointerScope scope = new PointerScope()) {
            MaskLayout layout = MaskLayout.of("layer", granularity, shape, m, share);
            byte[] bits = new byte[mask.length];
            for (int i = 0; i < bits.length; i++) {
                bits[i] = (byte) mask[i];
            }
            return KeptKernels.of(new ParameterMask(
                    layout, Tensors.ofBytes(bits, ScalarType.Bool, layout.groups(), layout.candidates())));
        }
    }

    private static int[][] indices(int[]... lists) {
        return lists;
    }

    @Test
    void kernelsOfAConvolution() {
        KeptKernels kept = lists(Granularity.KERNEL, new long[] {2, 4, 3, 3}, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0);
        assertThat(kept).isEqualTo(new KeptKernels(1, 4, indices(new int[] {1, 3}, new int[] {0, 1})));
        assertThat(kept.density()).isEqualTo(0.5);
        assertThat(kept).hasToString("2 of 4 for each of 2 groups of 1");
    }

    @Test
    void sharedMasks() {
        assertThat(lists(Granularity.KERNEL, new long[] {4, 3, 3, 3}, 0, 2, 1, 0, 1, 0, 1, 1))
                .isEqualTo(new KeptKernels(2, 3, indices(new int[] {0, 2}, new int[] {1, 2})));
    }

    @Test
    void weightsOfALinearLayerAndOfASmallConvolution() {
        KeptKernels expected = new KeptKernels(1, 3, indices(new int[] {2}, new int[] {0}));
        assertThat(lists(Granularity.WEIGHT, new long[] {2, 3}, 0, 1, 0, 0, 1, 1, 0, 0))
                .isEqualTo(expected);
        assertThat(lists(Granularity.WEIGHT, new long[] {2, 3, 1, 1}, 0, 1, 0, 0, 1, 1, 0, 0))
                .isEqualTo(expected);
        assertThat(lists(Granularity.N_M, new long[] {1, 4}, 2, 1, 0, 1, 1, 0))
                .isEqualTo(new KeptKernels(1, 4, indices(new int[] {1, 2})));
    }

    @Test
    void noListsOfWhatIsNoKernel() {
        assertThat(lists(Granularity.WEIGHT, new long[] {1, 1, 1, 2}, 0, 1, 0, 1))
                .isNull();
        assertThat(lists(Granularity.FILTER, new long[] {2, 1, 1, 1}, 0, 1, 0, 1))
                .isNull();
    }

    @Test
    void selectionNumbersAnew() {
        KeptKernels kept = new KeptKernels(2, 5, indices(new int[] {0, 3}, new int[] {1, 4}, new int[] {2, 3}));
        assertThat(kept.select(new int[] {2, 3, 4, 5}, new int[] {1, 3, 4}))
                .isEqualTo(new KeptKernels(2, 3, indices(new int[] {0, 2}, new int[] {1})));
        assertThat(kept.select(new int[] {1, 2}, new int[] {0, 1, 2, 3, 4}))
                .as("half of two groups")
                .isEqualTo(new KeptKernels(1, 5, indices(new int[] {0, 3}, new int[] {1, 4})));
        assertThat(kept.select(new int[] {0, 1}, new int[] {1, 2, 4}).longest()).isZero();
    }
}
