package org.kofn.data;

import java.net.URI;
import java.util.Arrays;
import java.util.List;

/**
 * A published file.
 *
 * @param name what it is called on disk
 * @param bytes its size
 * @param digest its checksum, which every mirror must deliver
 * @param mirrors where to get it, the first choice first
 */
record RemoteFile(String name, long bytes, Digest digest, List<URI> mirrors) {
    /** Copies the list. */
    RemoteFile {
        mirrors = List.copyOf(mirrors);
        if (bytes <= 0 || mirrors.isEmpty()) {
            throw new IllegalArgumentException(name + ": a size and a mirror are needed");
        }
    }

    /** A file called {@code name} below each of {@code bases}. */
    static RemoteFile at(String name, long bytes, String digest, String... bases) {
        List<URI> mirrors =
                Arrays.stream(bases).map(base -> URI.create(base + name)).toList();
        return new RemoteFile(name, bytes, Digest.parse(digest), mirrors);
    }
}
