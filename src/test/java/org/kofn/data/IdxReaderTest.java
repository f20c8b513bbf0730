package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.gzip;
import static org.kofn.data.TestFiles.idxImages;
import static org.kofn.data.TestFiles.idxLabels;
import static org.kofn.data.TestFiles.random;
import static org.kofn.data.TestFiles.write;

import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.torch.Tensors;

class IdxReaderTest {
    private static final byte[] PIXELS = random(3 * 2 * 5, 1);

    @TempDir
    private Path dir;

    private Path images(byte[] data) {
        return write(dir.resolve("images-idx3-ubyte"), data);
    }

    private Path labels(byte[] data) {
        return write(dir.resolve("labels-idx1-ubyte"), data);
    }

    private Path goodImages() {
        return images(idxImages(3, 2, 5, PIXELS));
    }

    private Path goodLabels() {
        return labels(idxLabels(9, 0, 4));
    }

    @Test
    void readsPlainFiles() {
        Samples samples = IdxReader.read(goodImages(), goodLabels(), 10, 0);
        assertThat(Tensors.shape(samples.images())).containsExactly(3, 1, 2, 5);
        assertThat(Tensors.bytes(samples.images())).isEqualTo(PIXELS);
        assertThat(Tensors.longs(samples.labels())).containsExactly(9, 0, 4);
    }

    @Test
    void readsPackedFilesWhateverTheyAreCalled() {
        Path images = images(gzip(idxImages(3, 2, 5, PIXELS)));
        Samples samples = IdxReader.read(images, labels(gzip(idxLabels(1, 2, 3))), 10, 0);
        assertThat(Tensors.bytes(samples.images())).isEqualTo(PIXELS);
        assertThat(Tensors.longs(samples.labels())).containsExactly(1, 2, 3);
    }

    @Test
    void countsLabelsFromTheFirst() {
        Samples samples = IdxReader.read(goodImages(), labels(idxLabels(1, 26, 2)), 26, 1);
        assertThat(Tensors.longs(samples.labels())).containsExactly(0, 25, 1);
        Path zero = labels(idxLabels(1, 0, 2));
        assertFileError(() -> IdxReader.read(goodImages(), zero, 26, 1), zero, "label 0 of sample 1", "1 … 26");
    }

    @Test
    void missingFile() {
        Path none = dir.resolve("none");
        assertFileError(() -> IdxReader.read(none, goodLabels(), 10, 0), none + ": no such file");
    }

    @Test
    void folderInPlaceOfAFile() {
        assertFileError(() -> IdxReader.read(dir, goodLabels(), 10, 0), dir + ": is a directory");
    }

    @Test
    void wrongMagic() {
        Path swapped = images(idxLabels(1, 2, 3));
        assertFileError(
                () -> IdxReader.read(swapped, goodLabels(), 10, 0),
                swapped,
                "not an IDX file of images",
                "00000801",
                "00000803");
        Path text = labels("<html>404</html>".getBytes());
        assertFileError(() -> IdxReader.read(goodImages(), text, 10, 0), text, "not an IDX file of labels", "3c68746d");
    }

    @Test
    void truncatedPlainFile() {
        Path images = images(Arrays.copyOf(idxImages(3, 2, 5, PIXELS), 16 + 29));
        assertFileError(() -> IdxReader.read(images, goodLabels(), 10, 0), images, "truncated", "after 45 bytes");
        images(Arrays.copyOf(idxImages(3, 2, 5, PIXELS), 16 + 13));
        assertFileError(() -> IdxReader.read(images, goodLabels(), 10, 0), images, "claims 3 images of 2×5");
        goodImages();
        Path labels = labels(Arrays.copyOf(idxLabels(1, 2, 3), 10));
        assertFileError(() -> IdxReader.read(goodImages(), labels, 10, 0), labels, "truncated", "after 10 bytes");
    }

    @Test
    void emptyFile() {
        Path images = images(new byte[0]);
        assertFileError(() -> IdxReader.read(images, goodLabels(), 10, 0), images, "truncated", "after 0 bytes");
    }

    @Test
    void truncatedGzip() {
        byte[] packed = gzip(idxImages(3, 2, 5, PIXELS));
        for (int length : new int[] {5, 20, packed.length - 9, packed.length - 4, packed.length - 1}) {
            Path images = images(Arrays.copyOf(packed, length));
            assertFileError(() -> IdxReader.read(images, goodLabels(), 10, 0), images, "truncated", "fetch or import");
        }
    }

    @Test
    void corruptGzip() {
        byte[] packed = gzip(idxImages(3, 2, 5, PIXELS));
        packed[packed.length - 6] ^= 1;
        Path images = images(packed);
        assertFileError(() -> IdxReader.read(images, goodLabels(), 10, 0), images, "corrupt gzip data");
    }

    @Test
    void bytesAfterTheEnd() {
        Path images = images(Arrays.copyOf(idxImages(3, 2, 5, PIXELS), 16 + 31));
        assertFileError(() -> IdxReader.read(images, goodLabels(), 10, 0), images, "goes on after its 46 bytes");
        Path labels = labels(Arrays.copyOf(idxLabels(1, 2, 3), 12));
        assertFileError(() -> IdxReader.read(goodImages(), labels, 10, 0), labels, "goes on after its 11 bytes");
    }

    @Test
    void labelOutOfRange() {
        Path labels = labels(idxLabels(9, 10, 4));
        assertFileError(() -> IdxReader.read(goodImages(), labels, 10, 0), labels, "label 10 of sample 1", "0 … 9");
        Path negative = labels(idxLabels(9, 255, 4));
        assertFileError(() -> IdxReader.read(goodImages(), negative, 10, 0), negative, "label 255 of sample 1");
    }

    @Test
    void countsThatDiffer() {
        Path labels = labels(idxLabels(1, 2));
        Path images = goodImages();
        assertFileError(() -> IdxReader.read(images, labels, 10, 0), labels + ": 2 labels, but " + images + " has 3");
    }

    @Test
    void absurdHeaders() {
        Path huge = images(gzip(idxImages(Integer.MAX_VALUE, 4096, 4096, PIXELS)));
        assertFileError(() -> IdxReader.read(huge, goodLabels(), 10, 0), huge, "more than the file holds");
        Path negative = images(idxImages(-1, 2, 5, PIXELS));
        assertFileError(() -> IdxReader.read(negative, goodLabels(), 10, 0), negative, "claims 4,294,967,295 images");
        Path wide = images(idxImages(3, 2, 5000, PIXELS));
        assertFileError(() -> IdxReader.read(wide, goodLabels(), 10, 0), wide, "claims 5,000 columns");
        Path none = images(idxImages(0, 2, 5, new byte[0]));
        assertFileError(() -> IdxReader.read(none, goodLabels(), 10, 0), none, "claims 0 images");
    }
}
