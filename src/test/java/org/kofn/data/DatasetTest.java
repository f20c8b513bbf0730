package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.kofn.torch.Tensors;

class DatasetTest {
    private static final float[] ONE = {1};

    private static Dataset dataset(byte[] pixels, long... labels) {
        int n = labels.length;
        return new Dataset("t", Tensors.of(pixels, n, 1, 1, pixels.length / n), Tensors.of(labels, n), 9, ONE, ONE);
    }

    @Test
    void checksumIsOverShapeLabelsAndPixels() {
        byte[] pixels = {1, 2, 3, 4, 5, 6};
        ByteBuffer bytes = ByteBuffer.allocate(4 * 8 + 2 * 8 + 6).order(ByteOrder.LITTLE_ENDIAN);
        for (long word : new long[] {2, 1, 1, 3, 7, 8}) {
            bytes.putLong(word);
        }
        bytes.put(pixels);
        String expected = HexFormat.of().formatHex(Digest.newDigest("sha256").digest(bytes.array()));
        assertThat(dataset(pixels, 7, 8).checksum()).isEqualTo(expected);
        assertThat(dataset(pixels, 7, 7).checksum()).isNotEqualTo(expected);
        assertThat(dataset(new byte[] {1, 2, 3, 4, 5, 7}, 7, 8).checksum()).isNotEqualTo(expected);
        assertThat(dataset(pixels, 7, 8, 0).checksum()).isNotEqualTo(expected);
    }

    @Test
    void checksumOfALargeSetIsTakenInPieces() {
        // 9 MiB in 12 images: more than one piece, and no whole number of them.
        byte[] pixels = TestFiles.random(9 << 20, 1);
        long[] labels = new long[12];
        ByteBuffer bytes = ByteBuffer.allocate(16 * 8 + pixels.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(12).putLong(1).putLong(1).putLong(pixels.length / 12);
        bytes.position(16 * 8).put(pixels);
        String expected = HexFormat.of().formatHex(Digest.newDigest("sha256").digest(bytes.array()));
        assertThat(dataset(pixels, labels).checksum()).isEqualTo(expected);
    }

    @Test
    void subsetsAndCopiesOutliveScopes() {
        Dataset some;
        Dataset moved;
        try (Dataset all = dataset(new byte[] {1, 2, 3, 4, 5, 6}, 7, 8, 2)) {
            try (PointerScope scope = new PointerScope()) {
                some = all.subset(new long[] {2, 0});
                moved = all.to(new Device("cpu"));
            }
        }
        assertThat(Tensors.bytes(some.images())).containsExactly(5, 6, 1, 2);
        assertThat(Tensors.longs(some.labels())).containsExactly(2, 7);
        assertThat(Tensors.bytes(moved.images())).containsExactly(1, 2, 3, 4, 5, 6);
        some.close();
        moved.close();
    }

    @Test
    void refusesWhatDoesNotFit() {
        try (Dataset all = dataset(new byte[] {1, 2, 3}, 7, 8, 2)) {
            assertThatThrownBy(() -> all.subset(new long[] {3})).hasMessage("sample 3 of 3");
            assertThatThrownBy(() -> new Dataset("t", all.images(), Tensors.of(new long[2], 2), 9, ONE, ONE))
                    .hasMessageContaining("labels");
            assertThatThrownBy(() -> new Dataset("t", all.labels(), all.labels(), 9, ONE, ONE))
                    .hasMessageContaining("images");
            assertThatThrownBy(() -> new Dataset("t", all.images(), all.labels(), 9, new float[2], ONE))
                    .hasMessageContaining("one mean");
        }
    }
}
