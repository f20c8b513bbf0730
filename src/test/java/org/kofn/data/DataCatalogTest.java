package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.gzip;
import static org.kofn.data.TestFiles.idxImages;
import static org.kofn.data.TestFiles.write;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

class DataCatalogTest {
    @TempDir
    private Path dir;

    @Test
    void digitsAreAsPublished() {
        try (Dataset train = DataCatalog.load("digits", null, Part.TRAIN);
                Dataset test = DataCatalog.load("digits", null, Part.TEST)) {
            assertThat(Tensors.shape(train.images())).containsExactly(3823, 1, 8, 8);
            assertThat(Tensors.shape(test.images())).containsExactly(1797, 1, 8, 8);
            byte[] pixels = Tensors.bytes(train.images());
            // The first published row begins 0,1,6,15,12,1,0,0,0,7,16 and is a 0.
            assertThat(Arrays.copyOf(pixels, 11)).containsExactly(0, 15, 90, 225, 180, 15, 0, 0, 0, 105, 240);
            assertThat(Tensors.longs(train.labels())[0]).isZero();
            long[] count = new long[10];
            for (long label : Tensors.longs(train.labels())) {
                count[(int) label]++;
            }
            assertThat(count).containsExactly(376, 389, 380, 389, 387, 376, 377, 387, 380, 382);
            double sum = 0;
            double squares = 0;
            for (byte pixel : pixels) {
                double value = (pixel & 0xff) / 255.0;
                sum += value;
                squares += value * value;
            }
            double mean = sum / pixels.length;
            assertThat(train.mean()[0]).isCloseTo((float) mean, within(5e-5f));
            assertThat(train.std()[0])
                    .isCloseTo((float) Math.sqrt(squares / pixels.length - mean * mean), within(5e-5f));
            assertThat(test.mean()).isEqualTo(train.mean());
        }
    }

    @Test
    void namesAreListed() {
        assertThat(DataCatalog.names())
                .containsExactly(
                        "digits",
                        "mnist",
                        "fashion-mnist",
                        "emnist-balanced",
                        "emnist-digits",
                        "emnist-letters",
                        "cifar-10",
                        "cifar-100",
                        "folder");
        for (String name : DataCatalog.names()) {
            DataInfo info = DataCatalog.info(name, dir);
            assertThat(info.name()).isEqualTo(name);
            assertThat(info.present()).isEqualTo(name.equals("digits"));
        }
    }

    @Test
    void unknownName() {
        assertThatThrownBy(() -> DataCatalog.load("mnits", dir, Part.TRAIN))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                .hasMessage("data: no data set 'mnits'; did you mean 'mnist'?");
    }

    @ParameterizedTest
    @ValueSource(strings = {"mnist", "fashion-mnist", "emnist-balanced", "emnist-digits", "cifar-10", "cifar-100"})
    void missingDataSaysHowToGetThem(String name) {
        assertFileError(
                () -> DataCatalog.load(name, dir, Part.TRAIN),
                "data: " + name + ": no ",
                " in " + dir,
                "run `kofn data fetch " + name + "` or `kofn data import " + name + " --from DIR`");
    }

    @Test
    void oneMissingFileIsNamed() throws IOException {
        TestFiles.mnist(dir, 3, 2);
        Files.delete(dir.resolve("train-labels-idx1-ubyte.gz"));
        assertFileError(() -> DataCatalog.load("mnist", dir, Part.TRAIN), "no train-labels-idx1-ubyte.gz in " + dir);
        DataCatalog.load("mnist", dir, Part.TEST).close();
        assertThat(DataCatalog.info("mnist", dir).present()).isFalse();
    }

    @Test
    void findsTheSetInItsFolderOrInThePlaceItself() {
        TestFiles.mnist(dir.resolve("a"), 3, 2);
        TestFiles.mnist(dir.resolve("b/mnist"), 4, 2);
        try (Dataset a = DataCatalog.load("mnist", dir.resolve("a"), Part.TRAIN);
                Dataset b = DataCatalog.load("mnist", dir.resolve("b"), Part.TRAIN)) {
            assertThat(a.size()).isEqualTo(3);
            assertThat(b.size()).isEqualTo(4);
            assertThat(b.mean()).containsExactly(0.1307f);
        }
        DataInfo info = DataCatalog.info("mnist", dir.resolve("b"));
        assertThat(info.present()).isTrue();
        assertThat(info.where()).isEqualTo(dir.resolve("b/mnist").toString());
    }

    @Test
    void imagesOfAnotherSize() {
        TestFiles.mnist(dir, 3, 2);
        write(dir.resolve("train-images-idx3-ubyte.gz"), gzip(idxImages(3, 28, 27, new byte[3 * 28 * 27])));
        assertFileError(
                () -> DataCatalog.load("mnist", dir, Part.TRAIN),
                dir + ": its images are 28×27, those of mnist are 28×28");
    }
}
