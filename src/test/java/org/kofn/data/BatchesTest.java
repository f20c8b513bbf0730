package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.junit.jupiter.api.Test;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.torch.Philox;
import org.kofn.torch.Tensors;

class BatchesTest {
    private static final int SIZE = 53;
    private static final int CHANNELS = 3;
    private static final int HEIGHT = 5;
    private static final int WIDTH = 4;
    private static final int IMAGE = CHANNELS * HEIGHT * WIDTH;
    private static final byte[] PIXELS = TestFiles.random(SIZE * IMAGE, 3);
    private static final float[] MEAN = {0.5f, 0.25f, 0.125f};
    private static final float[] STD = {0.2f, 0.3f, 0.4f};

    /** Labels are the numbers of the samples. */
    private static Dataset dataset() {
        long[] labels = new long[SIZE];
        Arrays.setAll(labels, i -> i);
        return new Dataset(
                "test", Tensors.of(PIXELS, SIZE, CHANNELS, HEIGHT, WIDTH), Tensors.of(labels, SIZE), SIZE, MEAN, STD);
    }

    private record Host(float[] images, long[] labels) {
        static Host get(Batches batches, long epoch, long index) {
            try (PointerScope scope = new PointerScope()) {
                Batch batch = batches.get(epoch, index);
                return new Host(Tensors.floats(batch.images()), Tensors.longs(batch.labels()));
            }
        }
    }

    private static int pixel(long sample, int channel, int y, int x) {
        boolean outside = y < 0 || y >= HEIGHT || x < 0 || x >= WIDTH;
        return outside ? 0 : PIXELS[(int) sample * IMAGE + (channel * HEIGHT + y) * WIDTH + x] & 0xff;
    }

    /** One image, displaced and normalised the plain way. */
    private static float[] reference(long sample, int down, int right, boolean flip) {
        float[] out = new float[IMAGE];
        for (int c = 0; c < CHANNELS; c++) {
            float scale = (float) (1 / (255.0 * STD[c]));
            float offset = (float) (-(double) MEAN[c] / STD[c]);
            for (int y = 0; y < HEIGHT; y++) {
                for (int x = 0; x < WIDTH; x++) {
                    int column = flip ? WIDTH - 1 - x : x;
                    float value = pixel(sample, c, y + down, column + right);
                    out[(c * HEIGHT + y) * WIDTH + x] = value * scale + offset;
                }
            }
        }
        return out;
    }

    private static int draw(int word, int most) {
        return (int) (((word & 0xffffffffL) * (2 * most + 1)) >>> 32) - most;
    }

    private static void expectLikeReference(Augmentation augmentation, boolean shuffle) {
        long seed = 77;
        int batch = 8;
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, augmentation, batch, seed, shuffle)) {
            for (int epoch = 0; epoch < 3; epoch++) {
                for (int index = 0; index < batches.perEpoch(); index++) {
                    Host host = Host.get(batches, epoch, index);
                    long key = Philox.derive(seed, 0x6175676d, epoch, index);
                    for (int i = 0; i < host.labels.length; i++) {
                        int[] a = Philox.words(key, 2 * i, 0, 0, 0);
                        int[] b = Philox.words(key, 2 * i + 1, 0, 0, 0);
                        int down = draw(a[0], augmentation.shift()) + draw(a[2], augmentation.crop());
                        int right = draw(a[1], augmentation.shift()) + draw(a[3], augmentation.crop());
                        boolean flip = augmentation.flip() && b[0] < 0;
                        float[] image = Arrays.copyOfRange(host.images, i * IMAGE, (i + 1) * IMAGE);
                        assertThat(image).isEqualTo(reference(host.labels[i], down, right, flip));
                    }
                }
            }
        }
    }

    @Test
    void displacesLikeThePlainReference() {
        expectLikeReference(Augmentation.NONE, true);
        expectLikeReference(new Augmentation(1, 0, false), true);
        expectLikeReference(new Augmentation(0, 3, false), true);
        expectLikeReference(new Augmentation(0, 0, true), true);
        expectLikeReference(new Augmentation(2, 4, true), true);
        expectLikeReference(new Augmentation(1, 1, true), false);
    }

    @Test
    void everyDisplacementHappensEquallyOften() {
        Map<String, Integer> seen = new HashMap<>();
        byte[] pixels = new byte[2000 * 9];
        for (int i = 0; i < 2000; i++) {
            pixels[9 * i + 4] = (byte) 255;
            pixels[9 * i + 5] = 100;
        }
        try (Dataset dataset = new Dataset(
                        "dots",
                        Tensors.of(pixels, 2000, 1, 3, 3),
                        Tensors.of(new long[2000], 2000),
                        1,
                        new float[] {0},
                        new float[] {1});
                Batches batches = new Batches(dataset, new Augmentation(1, 0, true), 100, 1, true)) {
            for (int i = 0; i < 20; i++) {
                float[] images = Host.get(batches, 0, i).images;
                for (int j = 0; j < 100; j++) {
                    seen.merge(Arrays.toString(Arrays.copyOfRange(images, 9 * j, 9 * j + 9)), 1, Integer::sum);
                }
            }
        }
        // 3×3 shifts, mirrored or not: 18 pictures, each 111 times of 2000 give or take four standard deviations.
        assertThat(seen).hasSize(18);
        assertThat(seen.values()).allMatch(count -> Math.abs(count - 2000 / 18.0) < 4 * Math.sqrt(2000 / 18.0));
    }

    @Test
    void aShuffledEpochSeesEachSampleAtMostOnce() {
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, new Augmentation(1, 0, true), 10, 5, true)) {
            assertThat(batches.perEpoch()).isEqualTo(5);
            assertThat(batches.samplesPerEpoch()).isEqualTo(50);
            List<List<Long>> epochs = new ArrayList<>();
            for (int epoch = 0; epoch < 2; epoch++) {
                List<Long> labels = new ArrayList<>();
                for (int i = 0; i < 5; i++) {
                    Arrays.stream(Host.get(batches, epoch, i).labels).forEach(labels::add);
                }
                assertThat(labels).hasSize(50).doesNotHaveDuplicates();
                epochs.add(labels);
            }
            assertThat(epochs.get(0)).isNotEqualTo(epochs.get(1));
        }
        try (Dataset dataset = dataset();
                Batches whole = new Batches(dataset, Augmentation.NONE, SIZE, 5, true)) {
            long[] labels = Host.get(whole, 3, 0).labels;
            assertThat(labels).isNotEqualTo(Arrays.stream(labels).sorted().toArray());
            assertThat(Arrays.stream(labels).sorted().toArray()).isEqualTo(Tensors.longs(dataset.labels()));
        }
    }

    @Test
    void withoutShufflingTheOrderIsKeptAndNothingDropped() {
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, Augmentation.NONE, 10, 5, false)) {
            assertThat(batches.perEpoch()).isEqualTo(6);
            assertThat(batches.samplesPerEpoch()).isEqualTo(SIZE);
            List<Long> labels = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                Host host = Host.get(batches, 0, i);
                assertThat(host.images).hasSize(host.labels.length * IMAGE);
                Arrays.stream(host.labels).forEach(labels::add);
            }
            assertThat(labels).hasSize(SIZE).isSorted().doesNotHaveDuplicates();
        }
    }

    @Test
    void aBatchDependsOnSeedEpochAndIndexAlone() {
        Augmentation augmentation = new Augmentation(1, 2, true);
        Map<String, Host> first = new HashMap<>();
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, augmentation, 7, 9, true)) {
            for (int epoch = 0; epoch < 3; epoch++) {
                for (int i = 0; i < batches.perEpoch(); i++) {
                    first.put(epoch + "/" + i, Host.get(batches, epoch, i));
                }
            }
        }
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, augmentation, 7, 9, true);
                Batches other = new Batches(dataset, augmentation, 7, 10, true)) {
            for (int i = (int) batches.perEpoch() - 1; i >= 0; i--) {
                for (int epoch : new int[] {2, 0, 1, 0}) {
                    Host again = Host.get(batches, epoch, i);
                    assertThat(again.images).isEqualTo(first.get(epoch + "/" + i).images);
                    assertThat(again.labels).isEqualTo(first.get(epoch + "/" + i).labels);
                }
            }
            assertThat(Host.get(other, 0, 0).labels).isNotEqualTo(first.get("0/0").labels);
        }
    }

    @Test
    void keepsWhatItNeedsAndLeaksNothing() {
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, new Augmentation(1, 1, true), 10, 5, true)) {
            long before = 0;
            for (int i = 0; i < 3000; i++) {
                if (i == 100) {
                    before = Pointer.totalCount();
                }
                try (PointerScope scope = new PointerScope()) {
                    Batch batch = batches.get(i / 5, i % 5);
                    assertThat(batch.images().isNull()).isFalse();
                }
            }
            assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
        }
    }

    @Test
    void aBatchOutlivesItsEpoch() {
        try (Dataset dataset = dataset();
                Batches batches = new Batches(dataset, Augmentation.NONE, 10, 5, true);
                PointerScope scope = new PointerScope()) {
            Batch batch = batches.get(0, 1);
            long[] labels = Tensors.longs(batch.labels());
            for (int epoch = 1; epoch < 20; epoch++) {
                batches.get(epoch, 1);
            }
            assertThat(Tensors.longs(batch.labels())).isEqualTo(labels);
        }
    }

    @Test
    void anEmptyPartHasNoBatches() {
        try (Dataset dataset = dataset();
                Dataset none = dataset.subset(new long[0]);
                Batches batches = new Batches(none, Augmentation.NONE, 10, 5, false)) {
            assertThat(batches.perEpoch()).isZero();
        }
    }

    @Test
    void refusals() {
        try (Dataset dataset = dataset()) {
            assertThatThrownBy(() -> new Batches(dataset, Augmentation.NONE, SIZE + 1, 5, true))
                    .isInstanceOfSatisfying(
                            KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                    .hasMessage("batch: 54 is more than the 53 training samples; make it smaller");
            assertThatThrownBy(() -> new Batches(dataset, Augmentation.NONE, 0, 5, false))
                    .isInstanceOf(KofnException.class)
                    .hasMessageContaining("batch: 0");
            try (Batches batches = new Batches(dataset, Augmentation.NONE, 10, 5, true)) {
                assertThatThrownBy(() -> batches.get(0, 5)).isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> batches.get(0, -1)).isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> new Augmentation(-1, 0, false)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
