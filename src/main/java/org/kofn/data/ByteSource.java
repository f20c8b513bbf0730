package org.kofn.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.kofn.base.KofnException;

/**
 * A file's bytes, unpacked when they begin like gzip (whatever the file's name says: browsers unpack without renaming),
 * with every failure turned into one line that names the file.
 */
final class ByteSource implements AutoCloseable {
    /** Deflate never packs tighter than this: the bound on what a gzip file of a known size can hold. */
    private static final long TIGHTEST = 1032;

    private final String name;
    private final InputStream in;
    private final long most;
    private long consumed;

    private ByteSource(String name, InputStream in, long most) {
        this.name = name;
        this.in = in;
        this.most = most;
    }

    /** Opens a file. */
    static ByteSource open(Path path) {
        try {
            if (Files.isDirectory(path)) {
                throw KofnException.file("%s: is a directory, a file is wanted", path);
            }
            return of(path.toString(), Files.newInputStream(path), Files.size(path));
        } catch (NoSuchFileException e) {
            throw KofnException.file(e, "%s: no such file", path);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", path, reason(e));
        }
    }

    /** Reads {@code raw}, which holds {@code size} bytes; closes it. */
    static ByteSource of(String name, InputStream raw, long size) {
        BufferedInputStream buffered = new BufferedInputStream(raw, 1 << 16);
        try {
            buffered.mark(2);
            boolean packed = buffered.read() == 0x1f && buffered.read() == 0x8b;
            buffered.reset();
            return packed
                    ? new ByteSource(name, new GZIPInputStream(buffered, 1 << 16), size * TIGHTEST)
                    : new ByteSource(name, buffered, size);
        } catch (IOException e) {
            try {
                raw.close();
            } catch (IOException closing) {
                e.addSuppressed(closing);
            }
            throw failure(name, e);
        }
    }

    /** What errors call it. */
    String name() {
        return name;
    }

    /** No more bytes than this can come out, so that a header that claims more is a lie. */
    long most() {
        return most;
    }

    /** Fills {@code length} bytes or says that the file is truncated. */
    void readFully(byte[] target, int offset, int length) {
        try {
            int read = in.readNBytes(target, offset, length);
            consumed += read;
            if (read < length) {
                throw damaged("truncated: it ends after %,d bytes, in the middle of its data", consumed);
            }
        } catch (IOException e) {
            throw failure(name, e);
        }
    }

    /** Up to {@code length} bytes, fewer only at the end. */
    int read(byte[] target, int offset, int length) {
        try {
            int read = in.readNBytes(target, offset, length);
            consumed += read;
            return read;
        } catch (IOException e) {
            throw failure(name, e);
        }
    }

    /** A big-endian 32-bit word. */
    int readInt() {
        byte[] four = new byte[4];
        readFully(four, 0, 4);
        return (four[0] & 0xff) << 24 | (four[1] & 0xff) << 16 | (four[2] & 0xff) << 8 | four[3] & 0xff;
    }

    /** Refuses bytes after the data; reading up to the end also checks the checksum of a gzip file. */
    void expectEnd() {
        if (read(new byte[1], 0, 1) > 0) {
            throw damaged("it goes on after its %,d bytes of data", consumed - 1);
        }
    }

    /** A failure of this file, with the way out. */
    KofnException damaged(String problem, Object... args) {
        return KofnException.file("%s: %s; fetch or import it again", name, String.format(Locale.ROOT, problem, args));
    }

    @Override
    public void close() {
        try {
            in.close();
        } catch (IOException e) {
            throw failure(name, e);
        }
    }

    private static KofnException failure(String name, IOException e) {
        if (e instanceof EOFException) {
            return KofnException.file(
                    e, "%s: truncated: it ends inside its compressed data; fetch or import it again", name);
        }
        if (e instanceof ZipException) {
            return KofnException.file(e, "%s: corrupt gzip data (%s); fetch or import it again", name, reason(e));
        }
        return KofnException.file(e, "%s: cannot be read: %s", name, reason(e));
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
