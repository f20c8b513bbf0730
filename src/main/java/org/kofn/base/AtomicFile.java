package org.kofn.base;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Files that are whole or absent: written beside their place under a temporary name, flushed to disk, then renamed. A
 * crash, a full disk or a kill leaves the old file, never half of the new one.
 */
public final class AtomicFile {
    private AtomicFile() {}

    /** Writes the bytes of a file into a stream. */
    @FunctionalInterface
    public interface Content {
        /** Writes everything; the stream is buffered and closed by the caller. */
        void writeTo(OutputStream out) throws IOException;
    }

    /** Lets a library that wants a path of its own write the file. */
    @FunctionalInterface
    public interface PathWriter {
        /** Writes the whole file at {@code path}, which does not exist. */
        void write(Path path) throws IOException;
    }

    /**
     * Writes {@code target} from a stream.
     *
     * @throws KofnException with {@link ExitCode#FILE}, naming the file, when it cannot be written (disk full, no
     *     permission); nothing is left behind
     */
    public static void write(Path target, Content content) {
        writePath(target, path -> {
            try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(path), 1 << 16)) {
                content.writeTo(out);
            }
        });
    }

    /** Writes {@code target} as UTF-8 text; errors as {@link #write}. */
    public static void writeString(Path target, String text) {
        write(target, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
    }

    /** Writes {@code target} through a writer that takes a path; errors as {@link #write}. */
    public static void writePath(Path target, PathWriter writer) {
        Path absolute = target.toAbsolutePath();
        Path beside = absolute.resolveSibling("." + absolute.getFileName() + ".part");
        try {
            Files.createDirectories(absolute.getParent());
            Files.deleteIfExists(beside);
            writer.write(beside);
            try (FileChannel channel = FileChannel.open(beside, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
            Files.move(beside, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException | RuntimeException e) {
            remove(beside);
            if (e instanceof KofnException known) {
                throw known;
            }
            throw KofnException.file(e, "%s: cannot be written: %s", target, reason(e));
        }
    }

    private static void remove(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException ignored) {
            // The first failure is the one to report; a leftover .part file is overwritten by the next write.
        }
    }

    /** The reason in words: NIO exceptions carry the path alone as their message. */
    private static String reason(Exception e) {
        String text = e.getMessage() == null
                ? e.getClass().getSimpleName()
                : e.getMessage().lines().findFirst().orElse("");
        return e instanceof java.nio.file.FileSystemException fs
                ? (fs.getReason() == null ? e.getClass().getSimpleName() : fs.getReason())
                : text;
    }
}
