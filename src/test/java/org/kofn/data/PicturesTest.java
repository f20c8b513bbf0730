package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.kofn.data.TestFiles.assertFileError;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

class PicturesTest {
    @TempDir
    Path dir;

    private interface Pixel {
        int at(int x, int y);
    }

    private Path picture(String name, int width, int height, boolean grey, Pixel pixel) throws IOException {
        int type = grey ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_INT_RGB;
        BufferedImage image = new BufferedImage(width, height, type);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                if (grey) {
                    image.getRaster().setSample(x, y, 0, pixel.at(x, y));
                } else {
                    image.setRGB(x, y, pixel.at(x, y));
                }
            }
        }
        Path file = dir.resolve(name);
        Files.createDirectories(file.getParent());
        ImageIO.write(image, "png", file.toFile());
        return file;
    }

    @Test
    void aPictureOfTheRightSizeIsTakenAsItIs() throws IOException {
        Path grey = picture("grey.png", 3, 2, true, (x, y) -> 10 * x + 100 * y);
        assertThat(new Pictures(1, 2, 3).read(grey)).containsExactly(0, 10, 20, 100, 110, 120);
        assertThat(new Pictures(3, 2, 3).read(grey))
                .hasSize(18)
                .startsWith(0, 10, 20)
                .endsWith(100, 110, 120);
        Path colour = picture("colour.png", 2, 1, false, (x, y) -> x == 0 ? 0x010203 : 0x040506);
        assertThat(new Pictures(3, 1, 2).read(colour)).containsExactly(1, 4, 2, 5, 3, 6);
    }

    @Test
    void aLargerOneIsAveragedAndAWiderOneCutAtBothSides() throws IOException {
        // Blocks of 4×4 with one value each; a bilinear filter without averaging would see noise of ±20 within them.
        Path blocks =
                picture("blocks.png", 16, 16, true, (x, y) -> 60 + 30 * (x / 8) + (((x ^ y) & 1) == 0 ? 20 : -20));
        byte[] small = new Pictures(1, 2, 2).read(blocks);
        assertThat(small[0]).isCloseTo((byte) 66, within((byte) 7));
        assertThat(small[1]).isCloseTo((byte) 84, within((byte) 7));
        assertThat(small[0] + small[1]).isEqualTo(150);
        Path wide = picture("wide.png", 12, 4, true, (x, y) -> x < 4 || x >= 8 ? 0 : 100 + x);
        assertThat(new Pictures(1, 4, 4).read(wide)).startsWith(104, 105, 106, 107);
        Path tiny = picture("tiny.png", 1, 1, true, (x, y) -> 77);
        assertThat(new Pictures(1, 3, 3).read(tiny)).containsOnly(77).hasSize(9);
        Path line = picture("line.png", 1, 500, true, (x, y) -> 9);
        assertThat(new Pictures(1, 3, 3).read(line)).containsOnly(9).hasSize(9);
    }

    @Test
    void whatIsNoPictureIsNamed() throws IOException {
        Path colour = picture("colour.png", 2, 2, false, (x, y) -> x);
        assertFileError(() -> new Pictures(1, 2, 2).read(colour), colour + ": is in colour, the network takes grey");
        Path text = Files.writeString(dir.resolve("text.png"), "hello");
        assertFileError(() -> new Pictures(1, 2, 2).read(text), text + ": not a PNG or JPEG picture");
        byte[] whole = Files.readAllBytes(picture("cut.png", 40, 40, true, (x, y) -> x * y));
        Path cut = Files.write(dir.resolve("cut.png"), Arrays.copyOf(whole, whole.length / 2));
        assertFileError(() -> new Pictures(1, 2, 2).read(cut), cut + ": unreadable picture");
    }

    @Test
    void anEnormousPictureIsRefusedByItsHeader() throws IOException {
        byte[] png = Files.readAllBytes(picture("large.png", 1, 1, true, (x, y) -> x));
        // Width and height of the IHDR chunk, and its checksum.
        java.nio.ByteBuffer header =
                java.nio.ByteBuffer.wrap(png).putInt(16, 50_000).putInt(20, 50_000);
        CRC32 crc = new CRC32();
        crc.update(png, 12, 17);
        header.putInt(29, (int) crc.getValue());
        Path file = Files.write(dir.resolve("large.png"), png);
        assertFileError(() -> new Pictures(1, 2, 2).read(file), file + ": is 50000×50000, and too large");
    }

    @Test
    void foldersAreSearchedThroughInTheOrderOfNames() throws IOException {
        for (String name : List.of("b.png", "a/z.png", "a/y.PNG", "c/deep/x.png", ".hidden/h.png")) {
            picture(name, 1, 1, true, (x, y) -> 0);
        }
        Files.writeString(dir.resolve("notes.txt"), "");
        assertThat(Pictures.at(dir).stream().map(file -> dir.relativize(file).toString()))
                .containsExactly("a/y.PNG", "a/z.png", "b.png", "c/deep/x.png");
        Path notes = dir.resolve("notes.txt");
        assertThat(Pictures.at(notes)).containsExactly(notes);
        assertFileError(() -> Pictures.at(dir.resolve("gone")), dir.resolve("gone") + ": no such file");
        Path empty = Files.createDirectory(dir.resolve("empty"));
        assertFileError(() -> Pictures.at(empty), empty + ": holds no PNG or JPEG pictures");
    }

    @Test
    void picturesAreNormalisedLikeTheirSet() {
        byte[] pixels = new byte[64];
        try (Dataset digits = new Pictures(1, 8, 8).like("digits", 10, List.of(pixels, pixels));
                Dataset known = DataCatalog.load("digits", null, Part.TEST)) {
            assertThat(digits.mean()).isEqualTo(known.mean());
            assertThat(digits.std()).isEqualTo(known.std());
            assertThat(Tensors.shape(digits.images())).containsExactly(2, 1, 8, 8);
            digits.to(new Device("cpu")).close();
        }
        assertThatThrownBy(() -> new Pictures(1, 8, 8).like("cifar-10", 10, List.of(pixels)))
                .isInstanceOf(KofnException.class)
                .hasMessage("data: images of cifar-10 have 3 channels, not 1");
    }

    @Test
    void everySetNamesItsClasses() throws IOException {
        for (String set : List.of(
                "digits",
                "mnist",
                "fashion-mnist",
                "emnist-balanced",
                "emnist-digits",
                "emnist-letters",
                "cifar-10",
                "cifar-100")) {
            int classes = DataCatalog.info(set).classes();
            List<String> names = DataCatalog.classNames(set, null, classes);
            assertThat(names).as(set).hasSize(classes).doesNotHaveDuplicates();
        }
        assertThat(DataCatalog.classNames("cifar-100", null, 100)).isSorted().contains("maple_tree");
        picture("train/cat/1.png", 1, 1, true, (x, y) -> 0);
        picture("train/ant/1.png", 1, 1, true, (x, y) -> 0);
        assertThat(DataCatalog.classNames("folder", dir, 2)).containsExactly("ant", "cat");
        assertThat(DataCatalog.classNames("folder", dir, 3)).containsExactly("0", "1", "2");
        assertThat(DataCatalog.classNames("folder", dir.resolve("gone"), 2)).containsExactly("0", "1");
    }
}
