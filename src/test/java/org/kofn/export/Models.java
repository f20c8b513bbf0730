package org.kofn.export;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/** Small masked tensors with random bits for the tests of this package. */
final class Models {
    private Models() {}

    /** A random mask of exactly k of n in every group. */
    static PrunedTensor mask(String name, MaskLayout layout, long k, Random random) {
        int n = (int) layout.candidates();
        byte[] mask = new byte[(int) layout.groups() * n];
        for (int g = 0; g < layout.groups(); g++) {
            for (int left = (int) k; left > 0; ) {
                int j = g * n + random.nextInt(n);
                if (mask[j] == 0) {
                    mask[j] = 1;
                    left--;
                }
            }
        }
        return new PrunedTensor(name, layout, k, Tensors.ofBytes(mask, ScalarType.Bool, layout.groups(), n));
    }

    /** Any bits (NaN, −0.0, zero) where the mask keeps, +0.0 where it drops. */
    static Tensor weight(PrunedTensor pruned, ScalarType type, Random random) {
        long[] shape = pruned.layout().shape();
        int size = type == ScalarType.Float ? 4 : 2;
        long numel = 1;
        for (long s : shape) {
            numel *= s;
        }
        byte[] bytes = new byte[(int) numel * size];
        random.nextBytes(bytes);
        // The mask's way to the weight is MaskLayout's own, so that a wrong transpose in the file would show.
        MaskLayout layout = pruned.layout();
        Tensor kept = Tensors.of(ones((int) numel), layout.view()).mul(layout.spread(pruned.mask()));
        float[] flags = Tensors.floats(kept);
        for (int i = 0; i < numel; i++) {
            for (int b = 0; b < size; b++) {
                bytes[i * size + b] *= (byte) flags[i];
            }
        }
        return Tensors.ofBytes(bytes, type, shape);
    }

    private static float[] ones(int count) {
        float[] ones = new float[count];
        java.util.Arrays.fill(ones, 1);
        return ones;
    }

    /** A module's worth of tensors with every granularity, in a fixed order. */
    static Map<String, Tensor> example(List<PrunedTensor> pruned, ScalarType type, long seed) {
        Random random = new Random(seed);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        add(tensors, pruned, "conv1.weight", layout(Granularity.KERNEL, 1, 4, 3, 3, 3), 1, type, random);
        tensors.put("conv1.bias", Tensors.of(new float[] {1, -0f, Float.NaN, 3}, 4));
        add(tensors, pruned, "conv2.weight", layout(Granularity.FILTER, 1, 6, 4, 1, 1), 2, type, random);
        tensors.put("bn.num_batches_tracked", Tensors.of(new long[] {42}));
        add(tensors, pruned, "fc1.weight", layout(Granularity.WEIGHT, 2, 4, 40), 3, type, random);
        add(
                tensors,
                pruned,
                "fc2.weight",
                MaskLayout.of("fc2", Granularity.N_M, new long[] {3, 8}, 4, 1),
                2,
                type,
                random);
        add(tensors, pruned, "fc3.weight", layout(Granularity.WEIGHT, 1, 2, 5), 5, type, random);
        return tensors;
    }

    private static MaskLayout layout(Granularity granularity, int share, long... shape) {
        return MaskLayout.of("test", granularity, shape, 0, share);
    }

    private static void add(
            Map<String, Tensor> tensors,
            List<PrunedTensor> pruned,
            String name,
            MaskLayout layout,
            long k,
            ScalarType type,
            Random random) {
        PrunedTensor mask = mask(name, layout, k, random);
        pruned.add(mask);
        tensors.put(name, weight(mask, type, random));
    }
}
