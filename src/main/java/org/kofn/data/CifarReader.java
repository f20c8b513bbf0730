package org.kofn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kofn.base.KofnException;

/**
 * CIFAR-10 and CIFAR-100 in their binary version (A. Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009): records of one label byte (CIFAR-100: two, the coarse and the fine one) and 3072 pixels, the red, the
 * green and the blue plane of 32×32. Reads the unpacked files or, slower, the published archive. Of CIFAR-100's labels
 * the fine one is the class.
 */
final class CifarReader implements Format {
    private static final int SIDE = 32;
    private static final int PIXELS = 3 * SIDE * SIDE;
    private static final int COARSE_CLASSES = 20;

    private final String set;
    private final String directory;
    private final int labelBytes;
    private final int classes;

    private CifarReader(String set, String directory, int labelBytes, int classes) {
        this.set = set;
        this.directory = directory;
        this.labelBytes = labelBytes;
        this.classes = classes;
    }

    static CifarReader cifar10() {
        return new CifarReader("cifar-10", "cifar-10-batches-bin", 1, 10);
    }

    static CifarReader cifar100() {
        return new CifarReader("cifar-100", "cifar-100-binary", 2, 100);
    }

    /** The name of the published archive. */
    String archive() {
        return set + "-binary.tar.gz";
    }

    private List<String> files(Part part) {
        if (classes == 100) {
            return List.of(part == Part.TRAIN ? "train.bin" : "test.bin");
        }
        return part == Part.TEST
                ? List.of("test_batch.bin")
                : List.of(
                        "data_batch_1.bin",
                        "data_batch_2.bin",
                        "data_batch_3.bin",
                        "data_batch_4.bin",
                        "data_batch_5.bin");
    }

    private List<String> allFiles() {
        List<String> all = new ArrayList<>(files(Part.TRAIN));
        all.addAll(files(Part.TEST));
        return all;
    }

    /** Where the unpacked files are, if they are. */
    private Path unpacked(Path folder) {
        Path below = folder.resolve(directory);
        return Files.isDirectory(below) ? below : folder;
    }

    @Override
    public Found find(Path folder) {
        Path place = unpacked(folder);
        List<Item> items = new ArrayList<>();
        for (String file : allFiles()) {
            if (Files.isRegularFile(place.resolve(file))) {
                items.add(new Item(place.resolve(file), directory + "/" + file));
            }
        }
        if (items.size() == allFiles().size()) {
            return Found.all(items);
        }
        Path archive = folder.resolve(archive());
        return Files.isRegularFile(archive)
                ? Found.all(List.of(new Item(archive, archive())))
                : Found.without(archive() + " (nor " + directory + "/)");
    }

    @Override
    public Samples read(Path folder, Part part) {
        Path place = unpacked(folder);
        boolean any = files(part).stream().anyMatch(file -> Files.isRegularFile(place.resolve(file)));
        Path archive = folder.resolve(archive());
        if (!any && Files.isRegularFile(archive)) {
            return readArchive(archive, part);
        }
        List<Samples> parts = new ArrayList<>();
        for (String file : files(part)) {
            Path path = place.resolve(file);
            if (!Files.isRegularFile(path)) {
                throw Format.missing(set, any ? file : archive(), any ? place : folder);
            }
            try (ByteSource source = ByteSource.open(path)) {
                parts.add(readRecords(source, path.toString(), source.most()));
                source.expectEnd();
            }
        }
        return Samples.join(parts);
    }

    private Samples readArchive(Path archive, Part part) {
        Map<String, Samples> found = new LinkedHashMap<>();
        files(part).forEach(file -> found.put(file, null));
        Tar.walk(archive, (path, size, content) -> {
            String file = path.substring(path.lastIndexOf('/') + 1);
            if (!found.containsKey(file)) {
                return 0;
            }
            found.put(file, readRecords(content, archive + "!" + path, size));
            return size;
        });
        found.forEach((file, samples) -> {
            if (samples == null) {
                throw KofnException.file("%s: holds no %s; it is not the %s archive", archive, file, set);
            }
        });
        return Samples.join(List.copyOf(found.values()));
    }

    private Samples readRecords(ByteSource source, String name, long size) {
        int record = labelBytes + PIXELS;
        if (size == 0 || size % record != 0 || size / record > Integer.MAX_VALUE) {
            throw KofnException.file(
                    "%s: %d bytes are no whole number of records of %d bytes: truncated, or not %s; fetch or import it"
                            + " again",
                    name, size, record, set);
        }
        int count = (int) (size / record);
        Samples out = new Samples(count, 3, SIDE, SIDE, classes);
        byte[] buffer = new byte[record];
        for (int i = 0; i < count; i++) {
            source.readFully(buffer, 0, record);
            if (labelBytes == 2) {
                checkLabel(name, i, "coarse label", buffer[0] & 0xff, COARSE_CLASSES);
            }
            int label = buffer[labelBytes - 1] & 0xff;
            checkLabel(name, i, "label", label, classes);
            out.putLabel(i, label);
            out.putPixels((long) i * PIXELS, buffer, labelBytes, PIXELS);
        }
        return out;
    }

    private static void checkLabel(String name, int record, String what, int label, int classes) {
        if (label >= classes) {
            throw KofnException.file(
                    "%s: %s %d of record %d lies outside 0 … %d; fetch or import it again",
                    name, what, label, record, classes - 1);
        }
    }

    /** Unpacks the archive, whose inflation takes longer than all other reading, and removes it. */
    @Override
    public void settle(Path folder) {
        Path archive = folder.resolve(archive());
        if (Files.isRegularFile(archive)) {
            List<String> wanted = allFiles();
            Folders.replace(
                    folder.resolve(directory),
                    into -> Tar.walk(archive, (path, size, content) -> {
                        String file = path.substring(path.lastIndexOf('/') + 1);
                        if (!wanted.contains(file)) {
                            return 0;
                        }
                        Folders.write(into.resolve(file), content, size);
                        return size;
                    }));
            Folders.delete(archive);
        }
    }
}
