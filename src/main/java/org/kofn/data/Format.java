package org.kofn.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.kofn.base.KofnException;

/** How a published set lies on disk: which files it has, and how they are read. */
interface Format {
    /**
     * A file that makes up the set.
     *
     * @param source where it is
     * @param target its place below the set's own folder, with {@code /} between names
     */
    record Item(Path source, String target) {}

    /** The files of the set in {@code folder}, or the first that is missing. */
    Found find(Path folder);

    /**
     * What a folder holds of a set.
     *
     * @param items all its files; empty when one is missing
     * @param missing the first missing file, in words
     */
    record Found(List<Item> items, Optional<String> missing) {
        static Found all(List<Item> items) {
            return new Found(List.copyOf(items), Optional.empty());
        }

        static Found without(String file) {
            return new Found(List.of(), Optional.of(file));
        }
    }

    /**
     * Reads one part; needs the files of that part alone. Call it inside a {@code PointerScope}.
     *
     * @throws KofnException (file) for a missing or damaged file, naming it
     */
    Samples read(Path folder, Part part);

    /** Brings freshly fetched or imported files into the shape that is quickest to read. */
    default void settle(Path folder) {}

    /** The failure of a set that is not there, with the two ways to get it. */
    static KofnException missing(String set, String file, Path folder) {
        return KofnException.file(
                "data: %s: no %s in %s; run `kofn data fetch %s` or `kofn data import %s --from DIR`",
                set, file, folder, set, set);
    }
}
