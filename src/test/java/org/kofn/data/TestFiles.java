package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

/** Tiny files in the published formats. */
final class TestFiles {
    private TestFiles() {}

    /** Expects a failure of exit code 3 whose message is one line with all of {@code parts} in it. */
    static void assertFileError(ThrowingCallable call, Object... parts) {
        assertThatThrownBy(call).isInstanceOfSatisfying(KofnException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage().lines()).hasSize(1);
            for (Object part : parts) {
                assertThat(e.getMessage()).contains(part.toString());
            }
        });
    }

    static byte[] random(int size, long seed) {
        byte[] out = new byte[size];
        new Random(seed).nextBytes(out);
        return out;
    }

    /** IDX images with the given pixels. */
    static byte[] idxImages(int count, int height, int width, byte[] pixels) {
        return ByteBuffer.allocate(16 + pixels.length)
                .putInt(0x803)
                .putInt(count)
                .putInt(height)
                .putInt(width)
                .put(pixels)
                .array();
    }

    /** IDX labels. */
    static byte[] idxLabels(int... labels) {
        ByteBuffer out = ByteBuffer.allocate(8 + labels.length).putInt(0x801).putInt(labels.length);
        for (int label : labels) {
            out.put((byte) label);
        }
        return out.array();
    }

    static byte[] gzip(byte[] data) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream packed = new GZIPOutputStream(out)) {
            packed.write(data);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    static Path write(Path file, byte[] data) {
        try {
            Files.createDirectories(file.getParent());
            return Files.write(file, data);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A whole MNIST of {@code train} and {@code test} images, packed. */
    static void mnist(Path folder, int train, int test) {
        part(folder, "train", train);
        part(folder, "t10k", test);
    }

    private static void part(Path folder, String prefix, int count) {
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = i % 10;
        }
        byte[] pixels = random(count * 784, prefix.hashCode());
        write(folder.resolve(prefix + "-images-idx3-ubyte.gz"), gzip(idxImages(count, 28, 28, pixels)));
        write(folder.resolve(prefix + "-labels-idx1-ubyte.gz"), gzip(idxLabels(labels)));
    }

    /** CIFAR records: {@code labelBytes} bytes of {@code label(i)} each, then random pixels. */
    static byte[] cifar(int count, int labelBytes, int... labels) {
        ByteBuffer out = ByteBuffer.allocate(count * (labelBytes + 3072));
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < labelBytes; j++) {
                out.put((byte) labels[(i * labelBytes + j) % labels.length]);
            }
            out.put(random(3072, i + 7L * labels[0]));
        }
        return out.array();
    }

    /** A tar entry: header, content, padding. */
    static byte[] tarEntry(String name, char type, byte[] content) {
        byte[] out = new byte[512 + (content.length + 511) / 512 * 512];
        put(out, 0, name);
        put(out, 100, "0000644\0");
        put(out, 124, String.format("%011o\0", content.length));
        put(out, 148, "        ");
        out[156] = (byte) type;
        put(out, 257, "ustar\00000");
        int sum = 0;
        for (int i = 0; i < 512; i++) {
            sum += out[i] & 0xff;
        }
        put(out, 148, String.format("%06o\0 ", sum));
        System.arraycopy(content, 0, out, 512, content.length);
        return out;
    }

    /** An archive of entries, with the two zero blocks at its end. */
    static byte[] tar(byte[]... entries) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] entry : entries) {
            out.writeBytes(entry);
        }
        out.writeBytes(new byte[1024]);
        return out.toByteArray();
    }

    private static void put(byte[] target, int offset, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(bytes, 0, target, offset, bytes.length);
    }

    /** Writes a picture of a {@code BufferedImage} type, each pixel from {@code rgb}, row by row. */
    static Path picture(Path file, int type, int width, int height, int... rgb) {
        BufferedImage image = new BufferedImage(width, height, type);
        for (int i = 0; i < width * height; i++) {
            if (type == BufferedImage.TYPE_BYTE_GRAY) {
                image.getRaster().setSample(i % width, i / width, 0, rgb[i % rgb.length] & 0xff);
            } else {
                image.setRGB(i % width, i / width, rgb[i % rgb.length]);
            }
        }
        try {
            Files.createDirectories(file.getParent());
            String name = file.getFileName().toString();
            ImageIO.write(image, name.substring(name.lastIndexOf('.') + 1), file.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }
}
