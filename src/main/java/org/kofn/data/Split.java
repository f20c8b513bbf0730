package org.kofn.data;

import java.util.Arrays;
import org.kofn.base.KofnException;
import org.kofn.torch.Philox;

/** Holds a validation part out of a training set, so that the test set is looked at once, at the end. */
public final class Split {
    private static final int PURPOSE = 0x73706c69;

    private Split() {}

    /**
     * Splits at random, by the seed alone; within each part the samples keep their order.
     *
     * @param count validation samples; 0 leaves that part empty
     * @return the training part and the validation part, both copies
     * @throws KofnException (usage) when nothing would be left to train on
     */
    public static Dataset[] holdOut(Dataset dataset, long count, long seed) {
        if (count < 0 || count >= dataset.size()) {
            throw KofnException.usage(
                    "data.validation: %d of %d training samples leaves none to train on; hold out fewer",
                    count, dataset.size());
        }
        int[] order = Permutation.of(Philox.derive(seed, PURPOSE, 0, 0), Math.toIntExact(dataset.size()));
        int kept = order.length - (int) count;
        return new Dataset[] {dataset.subset(sorted(order, 0, kept)), dataset.subset(sorted(order, kept, order.length))
        };
    }

    private static long[] sorted(int[] order, int from, int to) {
        return Arrays.stream(order, from, to).sorted().asLongStream().toArray();
    }
}
