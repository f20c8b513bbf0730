package org.kofn.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.kofn.base.KofnException;

/**
 * Walks the plain files of a tar archive, packed or not: as much of POSIX ustar and of GNU tar's long names as data
 * sets are packed with. Nothing is written, and names are only compared, so that an archive cannot write outside its
 * place.
 */
final class Tar {
    private static final int BLOCK = 512;
    private static final int LONGEST_NAME = 4096;

    private Tar() {}

    /** Sees each file of an archive. */
    @FunctionalInterface
    interface Visitor {
        /**
         * Takes one file.
         *
         * @param path the path in the archive
         * @param size bytes of the file
         * @param content positioned at the file's start; exactly {@code size} bytes must be read from it
         * @return how many bytes were read: {@code size}, or 0 to skip the file
         */
        long visit(String path, long size, ByteSource content) throws IOException;
    }

    /** Calls {@code visitor} for every plain file of {@code archive}; errors name the archive. */
    static void walk(Path archive, Visitor visitor) {
        try (ByteSource source = ByteSource.open(archive)) {
            walk(source, visitor);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: %s", archive, e.getMessage());
        }
    }

    private static void walk(ByteSource source, Visitor visitor) throws IOException {
        byte[] header = new byte[BLOCK];
        String longName = null;
        while (true) {
            source.readFully(header, 0, BLOCK);
            if (isZero(header)) {
                skipRest(source, header);
                return;
            }
            expectChecksum(source, header);
            long size = number(source, header, 124, 12);
            char type = (char) (header[156] & 0xff);
            if (type == 'L') {
                if (size > LONGEST_NAME) {
                    throw source.damaged("its tar header claims a name of %,d bytes", size);
                }
                byte[] name = new byte[(int) size];
                source.readFully(name, 0, name.length);
                longName = text(name, 0, name.length);
                skip(source, padding(size));
                continue;
            }
            String name = longName != null ? longName : name(header);
            longName = null;
            long read = type == '0' || type == 0 ? visitor.visit(name, size, source) : 0;
            if (read != 0 && read != size) {
                throw new IllegalStateException("the visitor read " + read + " of " + size + " bytes");
            }
            skip(source, size - read + padding(size));
        }
    }

    private static String name(byte[] header) {
        String name = text(header, 0, 100);
        boolean ustar = text(header, 257, 5).equals("ustar");
        String prefix = ustar && header[262] == 0 ? text(header, 345, 155) : "";
        return prefix.isEmpty() ? name : prefix + "/" + name;
    }

    private static void expectChecksum(ByteSource source, byte[] header) {
        long sum = 0;
        for (int i = 0; i < BLOCK; i++) {
            sum += i >= 148 && i < 156 ? ' ' : header[i] & 0xff;
        }
        if (sum != number(source, header, 148, 8)) {
            throw source.damaged("not a tar archive, or a damaged one");
        }
    }

    /** An octal number, or GNU's base-256 one. */
    private static long number(ByteSource source, byte[] header, int offset, int length) {
        if ((header[offset] & 0x80) != 0) {
            long value = header[offset] & 0x7f;
            for (int i = 1; i < length; i++) {
                if (value > Long.MAX_VALUE >> 8) {
                    throw source.damaged("its tar header holds an absurd size");
                }
                value = value << 8 | header[offset + i] & 0xff;
            }
            return value;
        }
        String digits = text(header, offset, length).trim();
        try {
            long value = digits.isEmpty() ? 0 : Long.parseLong(digits, 8);
            if (value < 0) {
                throw source.damaged("its tar header holds a negative size");
            }
            return value;
        } catch (NumberFormatException e) {
            throw source.damaged("not a tar archive, or a damaged one");
        }
    }

    private static String text(byte[] bytes, int offset, int length) {
        int end = offset;
        while (end < offset + length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, offset, end - offset, StandardCharsets.UTF_8);
    }

    private static boolean isZero(byte[] block) {
        for (byte b : block) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    private static long padding(long size) {
        return (BLOCK - size % BLOCK) % BLOCK;
    }

    private static void skip(ByteSource source, long bytes) {
        byte[] buffer = new byte[(int) Math.min(1 << 16, Math.max(bytes, 1))];
        for (long left = bytes; left > 0; ) {
            int length = (int) Math.min(buffer.length, left);
            source.readFully(buffer, 0, length);
            left -= length;
        }
    }

    /** Reads the zeros after the end, and with them the gzip checksum. */
    private static void skipRest(ByteSource source, byte[] buffer) {
        while (source.read(buffer, 0, buffer.length) == buffer.length) {
            // nothing of it matters
        }
    }
}
