package org.kofn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

/**
 * Data sets by name. Files lie in a folder for each set below {@code KOFN_DATA}, or below {@code ~/.cache/kofn} where
 * that is not set; a recipe may name another place. The digits need no files.
 */
public final class DataCatalog {
    /** The set that comes with kofn. */
    public static final String DIGITS = "digits";
    /** A folder of class folders of pictures. */
    public static final String FOLDER = "folder";

    private DataCatalog() {}

    /** All names that a recipe may use, in the order they are listed. */
    public static Set<String> names() {
        return DataSpec.names();
    }

    /** Where data live when nobody says otherwise: {@code KOFN_DATA}, or {@code ~/.cache/kofn}. */
    public static Path home() {
        String variable = System.getenv("KOFN_DATA");
        return variable == null || variable.isBlank()
                ? Path.of(System.getProperty("user.home"), ".cache", "kofn")
                : Path.of(variable);
    }

    /**
     * Reads a part of a set into CPU memory; the caller owns the result.
     *
     * @param dir null for {@link #home}; otherwise the folder that holds the set's folder, or the set's folder itself;
     *     for {@code folder} the folder with {@code train} and {@code test} in it
     * @throws KofnException (usage) for an unknown name, (file) for missing or damaged files
     */
    public static Dataset load(String name, Path dir, Part part) {
        try (PointerScope scope = new PointerScope()) {
            if (name.equals(DIGITS)) {
                return dataset(name, DigitsReader.read(part));
            }
            if (name.equals(FOLDER)) {
                if (dir == null) {
                    throw KofnException.usage("data: folder needs `dir`, the folder with train/<class>/*.png in it");
                }
                return dataset(name, ImageFolderReader.open(dir).read(part));
            }
            DataSpec spec = DataSpec.downloadable(name);
            Path folder = folder(spec, dir);
            Samples samples = spec.format().read(folder, part);
            if (samples.images().size(2) != spec.height() || samples.images().size(3) != spec.width()) {
                throw KofnException.file(
                        "%s: its images are %d×%d, those of %s are %d×%d; fetch or import it again",
                        folder, samples.images().size(2), samples.images().size(3), name, spec.height(), spec.width());
            }
            return dataset(name, samples);
        }
    }

    /**
     * What the classes of a set are called, in the order of their labels; where that is not known, their numbers.
     *
     * @param dir of a folder of pictures, whose class folders give the names where they are at hand; may be null
     * @param classes how many there are
     */
    public static List<String> classNames(String name, Path dir, int classes) {
        return ClassNames.of(name, dir, classes);
    }

    /** What is known of a set, and whether it is in {@link #home}. */
    public static DataInfo info(String name) {
        return info(name, null);
    }

    /** Likewise, looking in {@code dir} as {@link #load} does. */
    public static DataInfo info(String name, Path dir) {
        if (name.equals(DIGITS)) {
            String licence = "CC BY 4.0, E. Alpaydin, C. Kaynak (UCI)";
            return new DataInfo(name, 1, 8, 8, 10, 3_823, 1_797, licence, true, "comes with kofn");
        }
        if (name.equals(FOLDER)) {
            boolean present = dir != null && Files.isDirectory(dir.resolve("train"));
            String where = dir == null ? "the recipe's data.dir" : dir.toString();
            return new DataInfo(name, 0, 0, 0, 0, 0, 0, "yours", present, where);
        }
        DataSpec spec = DataSpec.downloadable(name);
        Path folder = folder(spec, dir);
        boolean present = spec.format().find(folder).missing().isEmpty();
        return new DataInfo(
                name,
                spec.channels(),
                spec.height(),
                spec.width(),
                spec.classes(),
                spec.trainSize(),
                spec.testSize(),
                spec.licence(),
                present,
                folder.toString());
    }

    /** Where {@link #load} looks for a set. */
    static Path folder(DataSpec spec, Path dir) {
        Path own = (dir == null ? home() : dir).resolve(spec.folder());
        return dir == null || Files.isDirectory(own) ? own : dir;
    }

    private static Dataset dataset(String name, Samples samples) {
        Normalisation normalisation =
                Normalisation.of(name, Math.toIntExact(samples.images().size(1)));
        return new Dataset(
                name,
                Tensors.keep(samples.images()),
                Tensors.keep(samples.labels()),
                samples.classes(),
                normalisation.mean(),
                normalisation.std());
    }
}
