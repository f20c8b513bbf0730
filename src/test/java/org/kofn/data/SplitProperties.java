package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.stream.LongStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

class SplitProperties {
    /** One pixel and the label of each sample are its number. */
    private static Dataset dataset(int size) {
        byte[] pixels = new byte[size];
        long[] labels = new long[size];
        for (int i = 0; i < size; i++) {
            pixels[i] = (byte) i;
            labels[i] = i;
        }
        return new Dataset(
                "t", Tensors.of(pixels, size, 1, 1, 1), Tensors.of(labels, size), size, new float[1], new float[] {1});
    }

    @Property(tries = 60)
    void partsAreDisjointAndComplete(
            @ForAll @IntRange(min = 1, max = 250) int size,
            @ForAll @IntRange(max = 249) int wanted,
            @ForAll long seed) {
        int count = Math.min(wanted, size - 1);
        try (Dataset all = dataset(size)) {
            Dataset[] parts = Split.holdOut(all, count, seed);
            try (Dataset train = parts[0];
                    Dataset validation = parts[1]) {
                assertThat(validation.size()).isEqualTo(count);
                assertThat(train.size()).isEqualTo(size - count);
                long[] trained = Tensors.longs(train.labels());
                long[] validated = Tensors.longs(validation.labels());
                assertThat(trained).isSorted();
                assertThat(validated).isSorted();
                assertThat(LongStream.concat(Arrays.stream(trained), Arrays.stream(validated))
                                .sorted())
                        .containsExactlyElementsOf(
                                LongStream.range(0, size).boxed().toList());
                byte[] pixels = Tensors.bytes(train.images());
                for (int i = 0; i < pixels.length; i++) {
                    assertThat(pixels[i]).isEqualTo((byte) trained[i]);
                }
                Dataset[] again = Split.holdOut(all, count, seed);
                assertThat(again[0].checksum()).isEqualTo(train.checksum());
                assertThat(again[1].checksum()).isEqualTo(validation.checksum());
                again[0].close();
                again[1].close();
            }
        }
    }

    @Property(tries = 60)
    void permutationsHoldEveryNumberOnce(@ForAll long key, @ForAll @IntRange(max = 10_000) int size) {
        int[] order = Permutation.of(key, size);
        assertThat(order).isEqualTo(Permutation.of(key, size));
        Arrays.sort(order);
        for (int i = 0; i < size; i++) {
            assertThat(order[i]).isEqualTo(i);
        }
    }

    @Example
    void everyOrderIsEquallyLikely() {
        int[] seen = new int[27];
        for (int key = 0; key < 6000; key++) {
            int[] order = Permutation.of(key, 3);
            seen[9 * order[0] + 3 * order[1] + order[2]]++;
        }
        int[] orders = Arrays.stream(seen).filter(count -> count > 0).toArray();
        assertThat(orders).hasSize(6);
        double chi = Arrays.stream(orders)
                .mapToDouble(n -> (n - 1000.0) * (n - 1000.0) / 1000)
                .sum();
        // Five degrees of freedom: 20.5 is passed once in a thousand, and the keys are fixed.
        assertThat(chi).isLessThan(20.5);
    }

    @Example
    void seedsDiffer() {
        try (Dataset all = dataset(200)) {
            assertThat(Split.holdOut(all, 50, 1)[1].checksum()).isNotEqualTo(Split.holdOut(all, 50, 2)[1].checksum());
        }
    }

    @Example
    void somethingMustBeLeftToTrainOn() {
        try (Dataset all = dataset(20)) {
            assertThatThrownBy(() -> Split.holdOut(all, 20, 1))
                    .isInstanceOf(KofnException.class)
                    .hasMessage("data.validation: 20 of 20 training samples leaves none to train on; hold out fewer");
            assertThatThrownBy(() -> Split.holdOut(all, -1, 1)).isInstanceOf(KofnException.class);
        }
    }
}
