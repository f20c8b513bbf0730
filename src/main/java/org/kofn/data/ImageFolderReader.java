package org.kofn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.kofn.base.KofnException;

/**
 * A folder of class folders of pictures: {@code root/train/<class>/*.png}, and {@code root/test} or {@code root/val}
 * with the same classes. Classes and pictures are taken in the order of their names. All pictures have one size; if
 * every one of both parts is grey the set has one channel, otherwise three.
 */
final class ImageFolderReader {
    private static final List<String> ENDINGS = List.of(".png", ".jpg", ".jpeg");

    private final Path root;
    private final List<String> classes;

    private ImageFolderReader(Path root, List<String> classes) {
        this.root = root;
        this.classes = classes;
    }

    /** A picture and its class. */
    private record Entry(Path path, int label) {}

    /**
     * Opens a folder and learns its classes.
     *
     * @throws KofnException (file) when it has no {@code train} folder, or that holds no class folders
     */
    static ImageFolderReader open(Path root) {
        Path train = root.resolve("train");
        if (!Files.isDirectory(train)) {
            throw KofnException.file(
                    "%s: no folder 'train'; a folder of pictures has train/<class>/*.png and test/<class>/*.png", root);
        }
        List<String> classes = classFolders(train).stream()
                .map(path -> path.getFileName().toString())
                .toList();
        if (classes.isEmpty()) {
            throw KofnException.file("%s: holds no class folders; write train/<class>/*.png", train);
        }
        return new ImageFolderReader(root, classes);
    }

    /** The names of the classes, in the order of their labels. */
    List<String> classes() {
        return classes;
    }

    /**
     * Reads one part.
     *
     * @throws KofnException (file) for an unreadable picture, one of another size, an empty or unknown class folder
     */
    Samples read(Part part) {
        List<Entry> entries = list(part);
        List<Entry> all = new ArrayList<>(entries);
        Part other = part == Part.TRAIN ? Part.TEST : Part.TRAIN;
        if (Files.isDirectory(place(other))) {
            all.addAll(list(other));
        }
        Path reference = all.get(0).path();
        Picture first = Picture.header(reference);
        boolean grey = true;
        for (Entry entry : all) {
            Picture header = Picture.header(entry.path());
            if (header.width() != first.width() || header.height() != first.height()) {
                throw KofnException.file(
                        "%s: is %d×%d, but %s is %d×%d; all pictures of a set must have one size",
                        entry.path(), header.width(), header.height(), reference, first.width(), first.height());
            }
            grey &= header.grey();
        }
        return decode(entries, grey ? 1 : 3, first.height(), first.width());
    }

    private Samples decode(List<Entry> entries, int channels, int height, int width) {
        Samples out = new Samples(entries.size(), channels, height, width, classes.size());
        byte[] pixels = new byte[channels * height * width];
        for (int i = 0; i < entries.size(); i++) {
            Picture.decode(entries.get(i).path(), channels, height, width, pixels);
            out.putPixels((long) i * pixels.length, pixels, 0, pixels.length);
            out.putLabel(i, entries.get(i).label());
        }
        return out;
    }

    private Path place(Part part) {
        if (part == Part.TRAIN) {
            return root.resolve("train");
        }
        Path test = root.resolve("test");
        return Files.isDirectory(test) ? test : root.resolve("val");
    }

    private List<Entry> list(Part part) {
        Path place = place(part);
        if (!Files.isDirectory(place)) {
            throw KofnException.file("%s: no folder 'test' or 'val'; the test part is read from there", root);
        }
        List<Entry> entries = new ArrayList<>();
        for (Path folder : classFolders(place)) {
            int label = classes.indexOf(folder.getFileName().toString());
            if (label < 0) {
                throw KofnException.file("%s: this class is not in %s", folder, root.resolve("train"));
            }
            int before = entries.size();
            for (Path file : Folders.entries(folder)) {
                if (isPicture(file)) {
                    entries.add(new Entry(file, label));
                }
            }
            if (entries.size() == before) {
                throw KofnException.file("%s: holds no PNG or JPEG pictures; fill it or remove it", folder);
            }
        }
        if (entries.isEmpty()) {
            throw KofnException.file("%s: holds no class folders; write %s/<class>/*.png", place, place.getFileName());
        }
        return entries;
    }

    private static List<Path> classFolders(Path place) {
        return Folders.entries(place).stream()
                .filter(path -> Files.isDirectory(path)
                        && !path.getFileName().toString().startsWith("."))
                .toList();
    }

    /** Whether a file counts as a picture, by its name. */
    static boolean isPicture(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return !name.startsWith(".") && ENDINGS.stream().anyMatch(name::endsWith) && Files.isRegularFile(file);
    }
}
