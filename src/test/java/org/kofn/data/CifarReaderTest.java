package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.cifar;
import static org.kofn.data.TestFiles.gzip;
import static org.kofn.data.TestFiles.tar;
import static org.kofn.data.TestFiles.tarEntry;
import static org.kofn.data.TestFiles.write;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.torch.Tensors;

class CifarReaderTest {
    private static final String BIN = "cifar-10-batches-bin/";

    private final CifarReader reader = CifarReader.cifar10();

    @TempDir
    private Path dir;

    private void writeUnpacked() {
        for (int i = 1; i <= 5; i++) {
            write(dir.resolve(BIN + "data_batch_" + i + ".bin"), cifar(2, 1, i, i + 1));
        }
        write(dir.resolve(BIN + "test_batch.bin"), cifar(3, 1, 0, 1, 9));
    }

    private byte[] archive() {
        // Out of order, with a folder and a text file among the batches.
        return tar(
                tarEntry(BIN, '5', new byte[0]),
                tarEntry(BIN + "batches.meta.txt", '0', "airplane\n".getBytes()),
                tarEntry(BIN + "data_batch_2.bin", '0', cifar(2, 1, 2, 3)),
                tarEntry(BIN + "test_batch.bin", '0', cifar(3, 1, 0, 1, 9)),
                tarEntry(BIN + "data_batch_1.bin", '0', cifar(2, 1, 1, 2)),
                tarEntry(BIN + "data_batch_3.bin", '0', cifar(2, 1, 3, 4)),
                tarEntry(BIN + "data_batch_4.bin", '0', cifar(2, 1, 4, 5)),
                tarEntry(BIN + "data_batch_5.bin", '0', cifar(2, 1, 5, 6)));
    }

    @Test
    void readsTheBatchesInOrder() {
        writeUnpacked();
        Samples train = reader.read(dir, Part.TRAIN);
        assertThat(Tensors.shape(train.images())).containsExactly(10, 3, 32, 32);
        assertThat(Tensors.longs(train.labels())).containsExactly(1, 2, 2, 3, 3, 4, 4, 5, 5, 6);
        byte[] first = cifar(2, 1, 1, 2);
        byte[] pixels = Tensors.bytes(train.images());
        assertThat(Arrays.copyOf(pixels, 3072)).isEqualTo(Arrays.copyOfRange(first, 1, 3073));
        assertThat(Arrays.copyOfRange(pixels, 3072, 6144)).isEqualTo(Arrays.copyOfRange(first, 3074, 6146));
        assertThat(Tensors.longs(reader.read(dir, Part.TEST).labels())).containsExactly(0, 1, 9);
        assertThat(reader.find(dir).items()).hasSize(6);
    }

    @Test
    void readsTheArchiveAlike() {
        writeUnpacked();
        Path packed = dir.resolve("packed");
        write(packed.resolve("cifar-10-binary.tar.gz"), gzip(archive()));
        for (Part part : Part.values()) {
            Samples loose = reader.read(dir, part);
            Samples archived = reader.read(packed, part);
            assertThat(Tensors.bytes(archived.images())).isEqualTo(Tensors.bytes(loose.images()));
            assertThat(Tensors.longs(archived.labels())).isEqualTo(Tensors.longs(loose.labels()));
        }
    }

    @Test
    void settlesByUnpacking() throws IOException {
        Path archive = write(dir.resolve("cifar-10-binary.tar.gz"), gzip(archive()));
        reader.settle(dir);
        assertThat(archive).doesNotExist();
        try (var entries = Files.list(dir)) {
            assertThat(entries).containsExactly(dir.resolve("cifar-10-batches-bin"));
        }
        assertThat(Tensors.longs(reader.read(dir, Part.TEST).labels())).containsExactly(0, 1, 9);
    }

    @Test
    void ofCifar100TheFineLabelCounts() {
        CifarReader hundred = CifarReader.cifar100();
        Path train = write(dir.resolve("cifar-100-binary/train.bin"), cifar(2, 2, 19, 99, 0, 7));
        assertThat(Tensors.longs(hundred.read(dir, Part.TRAIN).labels())).containsExactly(99, 7);
        write(train, cifar(2, 2, 19, 99, 20, 7));
        assertFileError(() -> hundred.read(dir, Part.TRAIN), train, "coarse label 20 of record 1", "0 … 19");
        write(train, cifar(2, 2, 19, 100, 0, 7));
        assertFileError(() -> hundred.read(dir, Part.TRAIN), train, "label 100 of record 0", "0 … 99");
    }

    @Test
    void lengthThatIsNoMultiple() {
        writeUnpacked();
        Path bad = write(dir.resolve(BIN + "data_batch_4.bin"), new byte[3073 * 2 - 1]);
        assertFileError(() -> reader.read(dir, Part.TRAIN), bad + ": 6145 bytes", "records of 3073 bytes");
        write(bad, new byte[0]);
        assertFileError(() -> reader.read(dir, Part.TRAIN), bad + ": 0 bytes");
    }

    @Test
    void labelOutOfRange() {
        writeUnpacked();
        Path bad = write(dir.resolve(BIN + "test_batch.bin"), cifar(2, 1, 3, 10));
        assertFileError(() -> reader.read(dir, Part.TEST), bad, "label 10 of record 1", "0 … 9");
    }

    @Test
    void missingBatch() throws IOException {
        writeUnpacked();
        Files.delete(dir.resolve(BIN + "data_batch_3.bin"));
        assertFileError(() -> reader.read(dir, Part.TRAIN), "no data_batch_3.bin in " + dir.resolve(BIN));
        assertThat(reader.find(dir).missing()).contains("cifar-10-binary.tar.gz (nor cifar-10-batches-bin/)");
    }

    @Test
    void nothingThere() {
        assertFileError(
                () -> reader.read(dir, Part.TRAIN),
                "data: cifar-10: no cifar-10-binary.tar.gz in " + dir,
                "kofn data fetch cifar-10",
                "kofn data import cifar-10 --from DIR");
    }

    @Test
    void truncatedArchive() {
        byte[] packed = gzip(archive());
        Path archive = write(dir.resolve("cifar-10-binary.tar.gz"), Arrays.copyOf(packed, packed.length / 2));
        assertFileError(() -> reader.read(dir, Part.TRAIN), archive, "truncated");
        write(archive, Arrays.copyOf(archive(), 10_000));
        assertFileError(() -> reader.read(dir, Part.TRAIN), archive, "truncated: it ends after 10,000 bytes");
    }

    @Test
    void archiveOfSomethingElse() {
        Path archive = write(dir.resolve("cifar-10-binary.tar.gz"), gzip(tar(tarEntry("a", '0', new byte[3]))));
        assertFileError(() -> reader.read(dir, Part.TRAIN), archive, "holds no data_batch_1.bin");
        write(archive, gzip(new byte[700]));
        assertFileError(() -> reader.read(dir, Part.TRAIN), archive, "holds no data_batch_1.bin");
        write(archive, gzip(TestFiles.random(5000, 3)));
        assertFileError(() -> reader.read(dir, Part.TRAIN), archive, "not a tar archive");
    }

    @Test
    void batchInTheArchiveOfAWrongLength() {
        Path archive = write(
                dir.resolve("cifar-10-binary.tar.gz"), gzip(tar(tarEntry(BIN + "test_batch.bin", '0', new byte[99]))));
        assertFileError(() -> reader.read(dir, Part.TEST), archive + "!" + BIN + "test_batch.bin: 99 bytes");
    }
}
