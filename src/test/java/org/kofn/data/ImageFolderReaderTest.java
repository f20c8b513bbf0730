package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.picture;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

class ImageFolderReaderTest {
    private static final int GREY = BufferedImage.TYPE_BYTE_GRAY;
    private static final int RGB = BufferedImage.TYPE_INT_RGB;
    private static final int[] RAMP = {0, 10, 60, 100, 200, 255};

    @TempDir
    private Path root;

    @BeforeEach
    void writeTree() {
        picture(root.resolve("train/cat/b.png"), GREY, 3, 2, RAMP);
        picture(root.resolve("train/cat/a.png"), GREY, 3, 2, 1);
        picture(root.resolve("train/ant/z.png"), GREY, 3, 2, 2);
        picture(root.resolve("test/cat/t.png"), GREY, 3, 2, 3);
    }

    private Samples read(Part part) {
        return ImageFolderReader.open(root).read(part);
    }

    @Test
    void readsInTheOrderOfNames() {
        Samples train = read(Part.TRAIN);
        assertThat(ImageFolderReader.open(root).classes()).containsExactly("ant", "cat");
        assertThat(train.classes()).isEqualTo(2);
        assertThat(Tensors.shape(train.images())).containsExactly(3, 1, 2, 3);
        assertThat(Tensors.longs(train.labels())).containsExactly(0, 1, 1);
        byte[] pixels = Tensors.bytes(train.images());
        assertThat(pixels).startsWith(2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1);
        assertThat(Arrays.copyOfRange(pixels, 12, 18)).containsExactly(0, 10, 60, 100, 200, 255);
        assertThat(Tensors.longs(read(Part.TEST).labels())).containsExactly(1);
    }

    @Test
    void oneColouredPictureMakesTheSetColoured() {
        picture(root.resolve("test/cat/u.png"), RGB, 3, 2, 0x010203);
        Samples train = read(Part.TRAIN);
        assertThat(Tensors.shape(train.images())).containsExactly(3, 3, 2, 3);
        byte[] ramp = Arrays.copyOfRange(Tensors.bytes(train.images()), 36, 54);
        assertThat(ramp).containsExactly(0, 10, 60, 100, 200, 255, 0, 10, 60, 100, 200, 255, 0, 10, 60, 100, 200, 255);
        byte[] test = Tensors.bytes(read(Part.TEST).images());
        assertThat(Arrays.copyOfRange(test, 18, 36))
                .containsExactly(1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3);
    }

    @Test
    void readsJpeg() {
        picture(root.resolve("train/ant/y.jpeg"), GREY, 3, 2, 128);
        Samples train = read(Part.TRAIN);
        assertThat(train.count()).isEqualTo(4);
        for (byte pixel : Arrays.copyOf(Tensors.bytes(train.images()), 6)) {
            assertThat(pixel & 0xff).isBetween(126, 130);
        }
    }

    @Test
    void takesValForTest() throws IOException {
        Files.move(root.resolve("test"), root.resolve("val"));
        assertThat(read(Part.TEST).count()).isEqualTo(1);
    }

    @Test
    void ignoresWhatIsNoPicture() {
        TestFiles.write(root.resolve("train/ant/notes.txt"), new byte[] {1});
        TestFiles.write(root.resolve("train/ant/.hidden.png"), new byte[] {1});
        TestFiles.write(root.resolve("train/.cache/x.png"), new byte[] {1});
        assertThat(read(Part.TRAIN).count()).isEqualTo(3);
    }

    @Test
    void anotherSize() {
        Path wide = picture(root.resolve("train/cat/c.png"), GREY, 4, 2, 1);
        Path first = root.resolve("train/ant/z.png");
        assertFileError(() -> read(Part.TRAIN), wide + ": is 4×2, but " + first + " is 3×2");
        assertFileError(() -> read(Part.TEST), "4×2", "3×2");
    }

    @Test
    void unreadablePictures() throws IOException {
        Path text = TestFiles.write(root.resolve("train/cat/c.png"), "not a picture".getBytes());
        assertFileError(() -> read(Part.TRAIN), text + ": not a PNG or JPEG picture");
        byte[] whole = Files.readAllBytes(root.resolve("train/cat/b.png"));
        TestFiles.write(text, Arrays.copyOf(whole, whole.length - 28));
        assertFileError(() -> read(Part.TRAIN), text + ": unreadable picture", "repair or remove it");
        TestFiles.write(text, Arrays.copyOf(whole, 20));
        assertFileError(() -> read(Part.TRAIN), text + ": unreadable picture");
    }

    @Test
    void truncatedJpeg() throws IOException {
        Files.delete(root.resolve("train/cat/b.png"));
        Path jpeg = picture(root.resolve("train/cat/c.jpg"), GREY, 3, 2, RAMP);
        assertThat(read(Part.TRAIN).count()).isEqualTo(3);
        byte[] whole = Files.readAllBytes(jpeg);
        TestFiles.write(jpeg, Arrays.copyOf(whole, whole.length - 6));
        assertFileError(() -> read(Part.TRAIN), jpeg + ": unreadable picture", "Truncated File");
    }

    @Test
    void emptyClassFolder() throws IOException {
        Path empty = Files.createDirectories(root.resolve("train/bee"));
        assertFileError(() -> read(Part.TRAIN), empty + ": holds no PNG or JPEG pictures");
    }

    @Test
    void classThatIsNotTrained() {
        picture(root.resolve("test/dog/t.png"), GREY, 3, 2, 3);
        assertFileError(() -> read(Part.TEST), root.resolve("test/dog") + ": this class is not in");
    }

    @Test
    void missingFolders() throws IOException {
        Files.delete(root.resolve("test/cat/t.png"));
        Files.delete(root.resolve("test/cat"));
        assertFileError(() -> read(Part.TEST), root.resolve("test") + ": holds no class folders", "test/<class>");
        Files.delete(root.resolve("test"));
        assertFileError(() -> read(Part.TEST), root + ": no folder 'test' or 'val'");
        Path none = root.resolve("nowhere");
        assertFileError(() -> ImageFolderReader.open(none), none + ": no folder 'train'");
        Files.createDirectories(none.resolve("train"));
        assertFileError(() -> ImageFolderReader.open(none), none.resolve("train") + ": holds no class folders");
    }

    @Test
    void throughTheCatalog() {
        try (Dataset grey = DataCatalog.load("folder", root, Part.TRAIN)) {
            assertThat(grey.classes()).isEqualTo(2);
            assertThat(grey.mean()).containsExactly(0.449f);
        }
        picture(root.resolve("train/cat/c.png"), RGB, 3, 2, 0x010203);
        try (Dataset colour = DataCatalog.load("folder", root, Part.TRAIN)) {
            assertThat(colour.std()).containsExactly(0.229f, 0.224f, 0.225f);
        }
        assertThatThrownBy(() -> DataCatalog.load("folder", null, Part.TRAIN))
                .isInstanceOf(KofnException.class)
                .hasMessageContaining("folder needs `dir`");
    }
}
