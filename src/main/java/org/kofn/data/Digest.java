package org.kofn.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.kofn.base.KofnException;

/**
 * A file's published checksum.
 *
 * @param algorithm {@code sha256}, or {@code md5} where a publisher gives nothing better
 * @param hex lower-case hexadecimal digits
 */
record Digest(String algorithm, String hex) {
    /** Refuses an unknown algorithm or a wrong number of digits. */
    Digest {
        int digits = algorithm.equals("sha256") ? 64 : algorithm.equals("md5") ? 32 : -1;
        if (!hex.matches("[0-9a-f]{" + Math.max(digits, 0) + "}") || digits < 0) {
            throw new IllegalArgumentException("not a checksum: " + algorithm + ":" + hex);
        }
    }

    /** Reads {@code sha256:…} or {@code md5:…}. */
    static Digest parse(String text) {
        int colon = text.indexOf(':');
        return new Digest(text.substring(0, Math.max(colon, 0)), text.substring(colon + 1));
    }

    /** The checksum that {@code file} has, by this algorithm. */
    Digest of(Path file) {
        MessageDigest digest = newDigest(algorithm);
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[1 << 16];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", file, Folders.reason(e));
        }
        return new Digest(algorithm, HexFormat.of().formatHex(digest.digest()));
    }

    /** A digest of Java's, which every Java has. */
    static MessageDigest newDigest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm.equals("sha256") ? "SHA-256" : "MD5");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public String toString() {
        return algorithm + ":" + hex;
    }
}
