package org.kofn.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.kofn.base.KofnException;

/**
 * {@code metrics.jsonl}: one line an epoch, appended. A checkpoint remembers how long the file was, and a resume cuts
 * it back to that length, so that lines written after the checkpoint are not there twice.
 */
final class MetricsLog {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;

    MetricsLog(Path file) {
        this.file = file;
    }

    /** Bytes written so far. */
    long length() {
        try {
            return Files.exists(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", file, e.getMessage());
        }
    }

    /** Cuts the file back to what a checkpoint knew. */
    void truncate(long length) {
        if (length() < length) {
            throw KofnException.file(
                    "%s: is shorter than the checkpoint remembers (%d of %d bytes); start again with --force",
                    file, length(), length);
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.truncate(length);
            channel.force(true);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be written: %s", file, e.getMessage());
        }
    }

    /** Appends a line and forces it to disk, so that a checkpoint never remembers more than there is. */
    void append(EpochMetrics metrics) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            ByteBuffer line =
                    ByteBuffer.wrap((JSON.writeValueAsString(metrics) + "\n").getBytes(StandardCharsets.UTF_8));
            while (line.hasRemaining()) {
                channel.write(line);
            }
            channel.force(true);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be written: %s", file, e.getMessage());
        }
    }
}
