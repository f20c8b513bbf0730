package org.kofn.data;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.kofn.base.AtomicFile;
import org.kofn.base.KofnException;

/** Folders that are whole or absent, in the manner of {@link AtomicFile}. */
final class Folders {
    private Folders() {}

    /** Lets {@code filler} fill a new folder beside {@code target}, which then takes the place of {@code target}. */
    static void replace(Path target, Consumer<Path> filler) {
        Path beside = target.resolveSibling("." + target.getFileName() + ".part");
        try {
            delete(beside);
            Files.createDirectories(beside);
            filler.accept(beside);
            delete(target);
            Files.move(beside, target);
        } catch (IOException e) {
            throw failure(target, e);
        } finally {
            delete(beside);
        }
    }

    /** Moves every entry of {@code from} into {@code to}, over what has the same name there. */
    static void moveEntries(Path from, Path to) {
        try {
            Files.createDirectories(to);
            for (Path entry : entries(from)) {
                Path target = to.resolve(entry.getFileName());
                delete(target);
                Files.move(entry, target);
            }
        } catch (IOException e) {
            throw failure(to, e);
        }
    }

    /** Writes {@code size} bytes of {@code content} into a file. */
    static void write(Path file, ByteSource content, long size) {
        AtomicFile.write(file, out -> {
            byte[] buffer = new byte[1 << 16];
            for (long left = size; left > 0; ) {
                int length = (int) Math.min(buffer.length, left);
                content.readFully(buffer, 0, length);
                out.write(buffer, 0, length);
                left -= length;
            }
        });
    }

    /** What is in a folder, sorted by name. */
    static List<Path> entries(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.sorted(
                            Comparator.comparing(path -> path.getFileName().toString()))
                    .toList();
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", folder, reason(e));
        }
    }

    /** Removes a file or a folder with all that is in it; fine if there is none. */
    static void delete(Path path) {
        if (!Files.exists(path)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(path)) {
            for (Path entry : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(entry);
            }
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be removed: %s", path, reason(e));
        }
    }

    private static KofnException failure(Path path, IOException e) {
        return KofnException.file(e, "%s: cannot be written: %s", path, reason(e));
    }

    /** The reason in words: file system exceptions have the path alone as their message. */
    static String reason(IOException e) {
        String text = e instanceof FileSystemException fs ? fs.getReason() : e.getMessage();
        return text == null ? e.getClass().getSimpleName() : text;
    }
}
