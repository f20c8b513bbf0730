package org.kofn.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.kofn.base.KofnException;

/**
 * One of the splits of EMNIST (G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to
 * handwritten letters", 2017). NIST publishes all of them as one {@code gzip.zip}; the files are read from it in place,
 * or lie loose in the folder.
 *
 * <p>The published images have rows and columns exchanged; here they stand upright, like MNIST's. The labels of
 * {@code letters} count from 1.
 */
final class EmnistFormat implements Format {
    /** The name of the published archive. */
    static final String ARCHIVE = "gzip.zip";

    private final String set;
    private final String split;
    private final int classes;
    private final int firstLabel;

    EmnistFormat(String set, String split, int classes, int firstLabel) {
        this.set = set;
        this.split = split;
        this.classes = classes;
        this.firstLabel = firstLabel;
    }

    @Override
    public Found find(Path folder) {
        List<Item> items = new ArrayList<>();
        for (Part part : Part.values()) {
            for (String kind : List.of("images-idx3", "labels-idx1")) {
                loose(folder, file(part, kind))
                        .ifPresent(path ->
                                items.add(new Item(path, path.getFileName().toString())));
            }
        }
        if (items.size() == 4) {
            return Found.all(items);
        }
        Path archive = folder.resolve(ARCHIVE);
        return Files.isRegularFile(archive)
                ? Found.all(List.of(new Item(archive, ARCHIVE)))
                : Found.without(ARCHIVE + " (nor " + file(Part.TRAIN, "images-idx3") + ".gz)");
    }

    @Override
    public Samples read(Path folder, Part part) {
        String images = file(part, "images-idx3");
        String labels = file(part, "labels-idx1");
        Optional<Path> imageFile = loose(folder, images);
        Optional<Path> labelFile = loose(folder, labels);
        if (imageFile.isPresent() && labelFile.isPresent()) {
            return IdxReader.read(imageFile.get(), labelFile.get(), classes, firstLabel)
                    .transposed();
        }
        Path archive = folder.resolve(ARCHIVE);
        if (!Files.isRegularFile(archive)) {
            throw Format.missing(set, imageFile.isPresent() ? labels + ".gz" : ARCHIVE, folder);
        }
        try (ZipFile zip = new ZipFile(archive.toFile());
                ByteSource imageSource = entry(zip, archive, images);
                ByteSource labelSource = entry(zip, archive, labels)) {
            return IdxReader.read(imageSource, labelSource, classes, firstLabel).transposed();
        } catch (IOException e) {
            throw KofnException.file(
                    e, "%s: not a whole zip archive (%s); fetch or import it again", archive, e.getMessage());
        }
    }

    private static ByteSource entry(ZipFile zip, Path archive, String name) throws IOException {
        ZipEntry entry = zip.getEntry("gzip/" + name + ".gz");
        if (entry == null) {
            throw KofnException.file(
                    "%s: holds no gzip/%s.gz; it is not the archive that NIST publishes as gzip.zip", archive, name);
        }
        return ByteSource.of(archive + "!" + entry.getName(), zip.getInputStream(entry), entry.getSize());
    }

    private static Optional<Path> loose(Path folder, String name) {
        return IdxFormat.locate(folder, name).or(() -> IdxFormat.locate(folder.resolve("gzip"), name));
    }

    private String file(Part part, String kind) {
        return "emnist-" + split + "-" + part.word() + "-" + kind + "-ubyte";
    }
}
