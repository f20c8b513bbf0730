package org.kofn.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.base.AtomicFile;
import org.kofn.base.KofnException;

/**
 * Takes local copies of published sets into kofn's data folder. Both parts are read to the end before anything is
 * copied, and the files appear all together, so that no half or damaged set is left.
 */
public final class Importer {
    private Importer() {}

    /** How a file compares with the published one. */
    public enum Match {
        /** The very same bytes. */
        PUBLISHED,
        /** Other bytes than the published file of that name. */
        DIFFERENT,
        /** The authors publish the file in another form only, such as packed. */
        UNKNOWN
    }

    /**
     * An imported file.
     *
     * @param file its name in the set's folder
     * @param sha256 its checksum
     * @param match how it compares with the published one
     */
    public record ImportedFile(String file, String sha256, Match match) {}

    /**
     * What was imported.
     *
     * @param name the set
     * @param folder where it is now
     * @param files its files; an archive that was unpacked counts as one
     * @param trainSize training images found
     * @param testSize test images found
     */
    public record Result(String name, Path folder, List<ImportedFile> files, long trainSize, long testSize) {}

    /**
     * Imports a set.
     *
     * @param from the folder with the files (or the set's folder in it), or one of the files
     * @param dir null for {@link DataCatalog#home}
     * @throws KofnException (usage) for a set that cannot be imported, (file) for missing or damaged files, or files
     *     that belong to another set
     */
    public static Result run(String name, Path from, Path dir) {
        DataSpec spec = DataSpec.downloadable(name);
        if (!Files.exists(from)) {
            throw KofnException.file("%s: no such folder", from);
        }
        Path source = Files.isDirectory(from) ? from : from.toAbsolutePath().getParent();
        Format.Found found = spec.format().find(source);
        if (found.missing().isPresent() && Files.isDirectory(source.resolve(spec.folder()))) {
            source = source.resolve(spec.folder());
            found = spec.format().find(source);
        }
        if (found.missing().isPresent()) {
            throw KofnException.file(
                    "%s: no %s there; give the folder that holds the files of %s",
                    source, found.missing().get(), name);
        }
        List<ImportedFile> files = new ArrayList<>();
        for (Format.Item item : found.items()) {
            files.add(describe(spec, item));
        }
        long train = count(spec, source, Part.TRAIN);
        long test = count(spec, source, Part.TEST);
        Path folder = (dir == null ? DataCatalog.home() : dir).resolve(spec.folder());
        if (!isSame(source, folder)) {
            copy(spec, found.items(), folder);
        }
        return new Result(name, folder, List.copyOf(files), train, test);
    }

    private static long count(DataSpec spec, Path source, Part part) {
        try (PointerScope scope = new PointerScope()) {
            Samples samples = spec.format().read(source, part);
            if (samples.images().size(2) != spec.height() || samples.images().size(3) != spec.width()) {
                throw KofnException.file(
                        "%s: its %s images are %d×%d, those of %s are %d×%d",
                        source,
                        part.word(),
                        samples.images().size(2),
                        samples.images().size(3),
                        spec.name(),
                        spec.height(),
                        spec.width());
            }
            return samples.count();
        }
    }

    private static ImportedFile describe(DataSpec spec, Format.Item item) {
        Digest digest = new Digest("sha256", "0".repeat(64)).of(item.source());
        for (DataSpec other : DataSpec.known().values()) {
            boolean its = other.files().stream().anyMatch(file -> file.digest().equals(digest));
            if (its && !other.folder().equals(spec.folder())) {
                throw KofnException.file(
                        "%s: this is a file of %s, not of %s; run `kofn data import %s --from DIR`",
                        item.source(), other.name(), spec.name(), other.name());
            }
        }
        Match match = Match.UNKNOWN;
        for (RemoteFile file : spec.files()) {
            if (file.name().equals(item.target())) {
                boolean same = file.digest().equals(file.digest().of(item.source()));
                match = same ? Match.PUBLISHED : Match.DIFFERENT;
            }
        }
        return new ImportedFile(item.target(), digest.hex(), match);
    }

    private static boolean isSame(Path a, Path b) {
        try {
            return Files.exists(b) && Files.isSameFile(a, b);
        } catch (IOException e) {
            return false;
        }
    }

    private static void copy(DataSpec spec, List<Format.Item> items, Path folder) {
        Path beside = folder.resolveSibling("." + folder.getFileName() + ".import");
        Folders.delete(beside);
        try {
            for (Format.Item item : items) {
                AtomicFile.write(beside.resolve(item.target()), out -> {
                    try (InputStream in = Files.newInputStream(item.source())) {
                        in.transferTo(out);
                    }
                });
            }
            spec.format().settle(beside);
            Folders.moveEntries(beside, folder);
        } finally {
            Folders.delete(beside);
        }
    }
}
