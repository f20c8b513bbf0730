package org.kofn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * MNIST's four files, and those of the sets made in its image. Each may be packed or not, and spelt with a dot before
 * {@code idx}, as some copies are.
 */
final class IdxFormat implements Format {
    private final String set;
    private final int classes;

    IdxFormat(String set, int classes) {
        this.set = set;
        this.classes = classes;
    }

    @Override
    public Found find(Path folder) {
        List<Item> items = new ArrayList<>();
        for (Part part : Part.values()) {
            for (String name : List.of(images(part), labels(part))) {
                Optional<Path> file = locate(folder, name);
                if (file.isEmpty()) {
                    return Found.without(name + ".gz");
                }
                items.add(new Item(file.get(), file.get().getFileName().toString()));
            }
        }
        return Found.all(items);
    }

    @Override
    public Samples read(Path folder, Part part) {
        return IdxReader.read(need(folder, images(part)), need(folder, labels(part)), classes, 0);
    }

    private Path need(Path folder, String name) {
        return locate(folder, name).orElseThrow(() -> Format.missing(set, name + ".gz", folder));
    }

    private static String images(Part part) {
        return (part == Part.TRAIN ? "train" : "t10k") + "-images-idx3-ubyte";
    }

    private static String labels(Part part) {
        return (part == Part.TRAIN ? "train" : "t10k") + "-labels-idx1-ubyte";
    }

    /** The file called {@code name}, packed or not. */
    static Optional<Path> locate(Path folder, String name) {
        String dotted = name.replace("-idx", ".idx");
        for (String candidate : List.of(name + ".gz", name, dotted + ".gz", dotted)) {
            Path path = folder.resolve(candidate);
            if (Files.isRegularFile(path)) {
                return Optional.of(path);
            }
        }
        return Optional.empty();
    }
}
