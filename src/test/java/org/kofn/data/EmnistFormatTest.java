package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.gzip;
import static org.kofn.data.TestFiles.idxImages;
import static org.kofn.data.TestFiles.idxLabels;
import static org.kofn.data.TestFiles.write;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.torch.Tensors;

class EmnistFormatTest {
    private final EmnistFormat letters = new EmnistFormat("emnist-letters", "letters", 26, 1);

    @TempDir
    private Path dir;

    private static Map<String, byte[]> files() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("emnist-letters-train-images-idx3-ubyte.gz", gzip(idxImages(1, 2, 2, new byte[] {1, 2, 3, 4})));
        files.put("emnist-letters-train-labels-idx1-ubyte.gz", gzip(idxLabels(26)));
        files.put("emnist-letters-test-images-idx3-ubyte.gz", gzip(idxImages(1, 2, 2, new byte[] {5, 6, 7, 8})));
        files.put("emnist-letters-test-labels-idx1-ubyte.gz", gzip(idxLabels(1)));
        return files;
    }

    private static byte[] zip(Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(bytes)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                out.putNextEntry(new ZipEntry("gzip/" + file.getKey()));
                out.write(file.getValue());
            }
        }
        return bytes.toByteArray();
    }

    private void expectLetters() {
        Samples train = letters.read(dir, Part.TRAIN);
        assertThat(Tensors.bytes(train.images())).containsExactly(1, 3, 2, 4);
        assertThat(Tensors.longs(train.labels())).containsExactly(25);
        Samples test = letters.read(dir, Part.TEST);
        assertThat(Tensors.bytes(test.images())).containsExactly(5, 7, 6, 8);
        assertThat(Tensors.longs(test.labels())).containsExactly(0);
    }

    @Test
    void readsTheArchiveInPlaceAndUpright() throws IOException {
        write(dir.resolve("gzip.zip"), zip(files()));
        expectLetters();
        assertThat(letters.find(dir).items()).extracting(Format.Item::target).containsExactly("gzip.zip");
    }

    @Test
    void readsLooseFiles() {
        files().forEach((name, bytes) -> write(dir.resolve(name), bytes));
        expectLetters();
        assertThat(letters.find(dir).items()).hasSize(4);
    }

    @Test
    void readsTheUnpackedArchive() {
        files().forEach((name, bytes) -> write(dir.resolve("gzip").resolve(name), bytes));
        expectLetters();
    }

    @Test
    void missing() {
        assertFileError(
                () -> letters.read(dir, Part.TRAIN),
                "emnist-letters: no gzip.zip in " + dir,
                "kofn data fetch emnist-letters");
        assertThat(letters.find(dir).missing()).isPresent();
    }

    @Test
    void damagedArchive() throws IOException {
        byte[] whole = zip(files());
        Path archive = write(dir.resolve("gzip.zip"), Arrays.copyOf(whole, whole.length - 30));
        assertFileError(() -> letters.read(dir, Part.TRAIN), archive + ": not a whole zip archive");
    }

    @Test
    void archiveOfSomethingElse() throws IOException {
        Path archive = write(dir.resolve("gzip.zip"), zip(Map.of("else", new byte[3])));
        assertFileError(
                () -> letters.read(dir, Part.TRAIN),
                archive + ": holds no gzip/emnist-letters-train-images-idx3-ubyte.gz");
    }

    @Test
    void damageInsideTheArchiveNamesTheEntry() throws IOException {
        Map<String, byte[]> files = files();
        files.put("emnist-letters-train-labels-idx1-ubyte.gz", gzip(idxLabels(27)));
        Path archive = write(dir.resolve("gzip.zip"), zip(files));
        assertFileError(
                () -> letters.read(dir, Part.TRAIN),
                archive + "!gzip/emnist-letters-train-labels-idx1-ubyte.gz: label 27 of sample 0");
    }
}
