package org.kofn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.InterpolateFuncOptions;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.kBilinear;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

/**
 * PNG and JPEG files that no data set holds, made into images of one size. A picture of that size is taken as it is, as
 * {@code data: folder} would read it. Of any other, the largest piece of the right proportions is cut out of the middle
 * and scaled, with bilinear filtering that averages over all pixels when it shrinks.
 *
 * @param channels of the images: grey pictures are taken for either 1 or 3, colour for 3 alone
 * @param height of the images
 * @param width of the images
 */
public record Pictures(int channels, int height, int width) {
    /** Pixels of the largest picture that is decoded. */
    private static final long MOST_PIXELS = 50_000_000;

    /**
     * The pictures that a path stands for: a file itself, whatever its name; of a folder, every PNG and JPEG file in it
     * and in the folders below, by name.
     *
     * @throws KofnException (file) when there is no such file, or no picture in the folder
     */
    public static List<Path> at(Path path) {
        if (!Files.exists(path)) {
            throw KofnException.file("%s: no such file", path);
        }
        if (!Files.isDirectory(path)) {
            return List.of(path);
        }
        List<Path> found = new ArrayList<>();
        collect(path, found);
        if (found.isEmpty()) {
            throw KofnException.file("%s: holds no PNG or JPEG pictures", path);
        }
        return found;
    }

    private static void collect(Path folder, List<Path> into) {
        for (Path entry : Folders.entries(folder)) {
            boolean hidden = entry.getFileName().toString().startsWith(".");
            if (ImageFolderReader.isPicture(entry)) {
                into.add(entry);
            } else if (!hidden && Files.isDirectory(entry) && !Files.isSymbolicLink(entry)) {
                collect(entry, into);
            }
        }
    }

    /**
     * Reads a picture.
     *
     * @return pixels [channels · height · width], plane after plane
     * @throws KofnException (file) when it is none, is damaged, is in colour where grey is wanted, or is enormous
     */
    public byte[] read(Path file) {
        Picture header = Picture.header(file);
        if (channels == 1 && !header.grey()) {
            throw KofnException.file("%s: is in colour, the network takes grey pictures; convert it", file);
        }
        if ((long) header.width() * header.height() > MOST_PIXELS) {
            throw KofnException.file(
                    "%s: is %d×%d, and too large to decode; scale it down", file, header.width(), header.height());
        }
        byte[] pixels = new byte[channels * header.height() * header.width()];
        Picture.decode(file, channels, header.height(), header.width(), pixels);
        boolean fits = header.height() == height && header.width() == width;
        return fits ? pixels : scaled(pixels, header.height(), header.width());
    }

    /**
     * Pictures as a set of their own, normalised like another; the labels are 0. The caller closes it.
     *
     * @param set whose normalisation is taken
     * @param classes of the set
     */
    public Dataset like(String set, int classes, List<byte[]> pictures) {
        Normalisation normalisation = Normalisation.of(set, channels);
        try (PointerScope scope = new PointerScope()) {
            Samples samples = new Samples(pictures.size(), channels, height, width, classes);
            for (int i = 0; i < pictures.size(); i++) {
                byte[] pixels = pictures.get(i);
                samples.putPixels((long) i * pixels.length, pixels, 0, pixels.length);
            }
            return new Dataset(
                    set,
                    Tensors.keep(samples.images()),
                    Tensors.keep(samples.labels()),
                    classes,
                    normalisation.mean(),
                    normalisation.std());
        }
    }

    private byte[] scaled(byte[] pixels, int fromHeight, int fromWidth) {
        double scale = Math.max((double) height / fromHeight, (double) width / fromWidth);
        long rows = Math.max(1, Math.min(fromHeight, Math.round(height / scale)));
        long columns = Math.max(1, Math.min(fromWidth, Math.round(width / scale)));
        try (PointerScope scope = new PointerScope()) {
            Tensor middle = Tensors.of(pixels, 1, channels, fromHeight, fromWidth)
                    .narrow(2, (fromHeight - rows) / 2, rows)
                    .narrow(3, (fromWidth - columns) / 2, columns);
            InterpolateFuncOptions options = new InterpolateFuncOptions();
            options.size().put(new LongVector(height, width));
            options.mode().put(new kBilinear());
            options.align_corners().put(false);
            options.antialias().put(true);
            Tensor scaled = torch.interpolate(middle.to(ScalarType.Float), options);
            return Tensors.bytes(scaled.round().to(ScalarType.Byte));
        }
    }
}
