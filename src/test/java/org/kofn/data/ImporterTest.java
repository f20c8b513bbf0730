package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

class ImporterTest {
    @TempDir
    private Path dir;

    private Path from;
    private Path home;

    @BeforeEach
    void folders() {
        from = dir.resolve("from");
        home = dir.resolve("home");
    }

    private void expectNothingImported() throws IOException {
        if (Files.exists(home)) {
            try (var entries = Files.list(home)) {
                assertThat(entries).isEmpty();
            }
        }
    }

    @Test
    void copiesAndReportsOtherBytes() throws IOException {
        TestFiles.mnist(from, 5, 3);
        Importer.Result result = Importer.run("mnist", from, home);
        assertThat(result.folder()).isEqualTo(home.resolve("mnist"));
        assertThat(result.trainSize()).isEqualTo(5);
        assertThat(result.testSize()).isEqualTo(3);
        assertThat(result.files()).hasSize(4).allMatch(file -> file.match() == Importer.Match.DIFFERENT);
        try (Dataset there = DataCatalog.load("mnist", from, Part.TRAIN);
                Dataset here = DataCatalog.load("mnist", home, Part.TRAIN)) {
            assertThat(here.checksum()).isEqualTo(there.checksum());
        }
        try (var entries = Files.list(home)) {
            assertThat(entries).containsExactly(home.resolve("mnist"));
        }
    }

    @Test
    void importsOverAnOlderImport() {
        TestFiles.mnist(from, 5, 3);
        Importer.run("mnist", from, home);
        TestFiles.mnist(from, 6, 3);
        assertThat(Importer.run("mnist", from.resolve("t10k-labels-idx1-ubyte.gz"), home)
                        .trainSize())
                .isEqualTo(6);
        try (Dataset here = DataCatalog.load("mnist", home, Part.TRAIN)) {
            assertThat(here.size()).isEqualTo(6);
        }
    }

    @Test
    void importingInPlaceChecksAlone() {
        TestFiles.mnist(home.resolve("mnist"), 5, 3);
        assertThat(Importer.run("mnist", home, home).trainSize()).isEqualTo(5);
        DataCatalog.load("mnist", home, Part.TRAIN).close();
    }

    @Test
    void anArchiveIsUnpacked() {
        byte[][] entries = new byte[6][];
        for (int i = 0; i < 5; i++) {
            entries[i] = tarEntry("cifar-10-batches-bin/data_batch_" + (i + 1) + ".bin", '0', cifar(1, 1, i));
        }
        entries[5] = tarEntry("cifar-10-batches-bin/test_batch.bin", '0', cifar(2, 1, 3));
        write(from.resolve("cifar-10-binary.tar.gz"), gzip(tar(entries)));
        Importer.Result result = Importer.run("cifar-10", from, home);
        assertThat(result.trainSize()).isEqualTo(5);
        assertThat(result.testSize()).isEqualTo(2);
        assertThat(result.files()).singleElement().satisfies(file -> {
            assertThat(file.file()).isEqualTo("cifar-10-binary.tar.gz");
            assertThat(file.match()).isEqualTo(Importer.Match.DIFFERENT);
        });
        assertThat(home.resolve("cifar-10/cifar-10-batches-bin/test_batch.bin")).exists();
        assertThat(from.resolve("cifar-10-binary.tar.gz")).exists();

        Importer.Result again = Importer.run("cifar-10", home.resolve("cifar-10"), dir.resolve("second"));
        assertThat(again.files()).hasSize(6).allMatch(file -> file.match() == Importer.Match.UNKNOWN);
        DataCatalog.load("cifar-10", dir.resolve("second"), Part.TEST).close();
    }

    @Test
    void damagedFilesAreNotImported() throws IOException {
        TestFiles.mnist(from, 5, 3);
        Path last = from.resolve("t10k-labels-idx1-ubyte.gz");
        byte[] whole = Files.readAllBytes(last);
        write(last, Arrays.copyOf(whole, whole.length - 3));
        assertFileError(() -> Importer.run("mnist", from, home), last + ": truncated");
        expectNothingImported();
    }

    @Test
    void missingFiles() throws IOException {
        TestFiles.mnist(from, 5, 3);
        Files.delete(from.resolve("t10k-images-idx3-ubyte.gz"));
        assertFileError(() -> Importer.run("mnist", from, home), from + ": no t10k-images-idx3-ubyte.gz there");
        assertFileError(
                () -> Importer.run("mnist", dir.resolve("none"), home), dir.resolve("none") + ": no such folder");
        expectNothingImported();
    }

    @Test
    void nothingToImport() {
        for (String name : new String[] {"digits", "folder", "nonsense"}) {
            assertThatThrownBy(() -> Importer.run(name, from, home))
                    .isInstanceOfSatisfying(
                            KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                    .hasMessageContaining(name);
        }
    }
}
