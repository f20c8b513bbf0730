package org.kofn.data;

import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.stream.ImageInputStream;
import org.kofn.base.KofnException;

/**
 * A PNG or JPEG file, through ImageIO. Transparency is ignored, deeper samples are cut to eight bits.
 *
 * @param width columns
 * @param height rows
 * @param grey whether it has one colour component
 */
record Picture(int width, int height, boolean grey) {
    /** The JPEG decoder fills what is missing with grey and merely warns; other warnings are harmless. */
    private static final List<String> DAMAGE = List.of("Premature end", "Corrupt JPEG", "Truncated");

    /** Reads size and kind, not the pixels. */
    static Picture header(Path path) {
        return read(path, reader -> {
            Iterator<ImageTypeSpecifier> types = reader.getImageTypes(0);
            boolean grey = types.hasNext() && types.next().getColorModel().getNumColorComponents() == 1;
            return new Picture(reader.getWidth(0), reader.getHeight(0), grey);
        });
    }

    /** Decodes into {@code pixels}, plane after plane; the size has been checked. */
    static void decode(Path path, int channels, int height, int width, byte[] pixels) {
        BufferedImage image = read(path, reader -> reader.read(0));
        int plane = height * width;
        if (image.getColorModel().getNumColorComponents() == 1) {
            // getRGB would pass grey through a gamma curve: read the samples as they are.
            Raster raster = image.getRaster();
            int depth = raster.getSampleModel().getSampleSize(0);
            for (int i = 0; i < plane; i++) {
                byte value = (byte) toByte(raster.getSample(i % width, i / width, 0), depth);
                for (int channel = 0; channel < channels; channel++) {
                    pixels[channel * plane + i] = value;
                }
            }
            return;
        }
        int[] row = new int[width];
        for (int y = 0; y < height; y++) {
            image.getRGB(0, y, width, 1, row, 0, width);
            for (int x = 0; x < width; x++) {
                int at = y * width + x;
                pixels[at] = (byte) (row[x] >> 16);
                pixels[plane + at] = (byte) (row[x] >> 8);
                pixels[2 * plane + at] = (byte) row[x];
            }
        }
    }

    private static int toByte(int sample, int depth) {
        return depth >= 8 ? sample >> (depth - 8) : sample * 255 / ((1 << depth) - 1);
    }

    private interface Use<T> {
        T with(ImageReader reader) throws IOException;
    }

    private static <T> T read(Path path, Use<T> use) {
        try (ImageInputStream stream = ImageIO.createImageInputStream(path.toFile())) {
            Iterator<ImageReader> readers = stream == null ? null : ImageIO.getImageReaders(stream);
            if (readers == null || !readers.hasNext()) {
                throw KofnException.file("%s: not a PNG or JPEG picture; repair or remove it", path);
            }
            ImageReader reader = readers.next();
            try {
                List<String> warnings = new ArrayList<>();
                reader.addIIOReadWarningListener((source, warning) -> warnings.add(warning));
                reader.setInput(stream, true, true);
                T result = use.with(reader);
                for (String warning : warnings) {
                    if (DAMAGE.stream().anyMatch(warning::contains)) {
                        throw new IIOException(warning);
                    }
                }
                return result;
            } finally {
                reader.dispose();
            }
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            // ImageIO lets damaged files escape as either of the latter two.
            String reason = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            throw KofnException.file(
                    e,
                    "%s: unreadable picture (%s); repair or remove it",
                    path,
                    reason.lines().findFirst().orElse(""));
        }
    }
}
