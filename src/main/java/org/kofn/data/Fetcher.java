package org.kofn.data;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

/**
 * Downloads published sets. Each file has several mirrors and one checksum: a file is put in place only when its
 * checksum is right, whichever mirror sent it. What an interrupted download left ({@code NAME.part}) is continued, by
 * the same mirror or the next.
 */
public final class Fetcher {
    private static final Duration STALL = Duration.ofSeconds(60);
    private static final int ATTEMPTS = 5;

    private final FetchProgress progress;
    private final Download download;

    /** A fetcher that reports to {@code progress}. */
    public Fetcher(FetchProgress progress) {
        this(progress, STALL);
    }

    /** Likewise, giving up on a mirror that sends nothing for {@code stall}. */
    Fetcher(FetchProgress progress, Duration stall) {
        this.progress = progress;
        this.download = new Download(progress, stall);
    }

    /**
     * Brings a set into its folder below {@code dir}; does nothing if it is there already.
     *
     * @param dir null for {@link DataCatalog#home}
     * @return the set's folder
     * @throws KofnException (usage) for a set that cannot be fetched, (file) when every mirror fails or the disk is
     *     full
     */
    public Path fetch(String name, Path dir) {
        DataSpec spec = DataSpec.downloadable(name);
        Path folder = (dir == null ? DataCatalog.home() : dir).resolve(spec.folder());
        if (spec.format().find(folder).missing().isEmpty()) {
            progress.message(name + " is already in " + folder);
            return folder;
        }
        fetch(name, spec.files(), folder);
        spec.format().settle(folder);
        return folder;
    }

    /** Downloads the files that are not in {@code folder} yet. */
    void fetch(String set, List<RemoteFile> files, Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be made: %s", folder, Folders.reason(e));
        }
        for (RemoteFile file : files) {
            Path target = folder.resolve(file.name());
            if (Files.isRegularFile(target) && file.digest().of(target).equals(file.digest())) {
                progress.message(file.name() + " is already in " + folder);
            } else {
                fetch(set, file, target);
            }
        }
    }

    private void fetch(String set, RemoteFile file, Path target) {
        Path part = target.resolveSibling(file.name() + ".part");
        List<String> failures = new ArrayList<>();
        for (URI mirror : file.mirrors()) {
            String failure = tryMirror(file, mirror, part);
            if (failure == null) {
                move(part, target);
                return;
            }
            failures.add(mirror.getAuthority() + ": " + failure);
            progress.message(file.name() + ": " + mirror.getAuthority() + ": " + failure);
        }
        throw KofnException.file(
                "%s: %s could not be downloaded (%s); try again, or get it elsewhere and run `kofn data import %s"
                        + " --from DIR`",
                set, file.name(), String.join("; ", failures), set);
    }

    /** Null when {@code part} holds the right file now; otherwise why not. */
    private String tryMirror(RemoteFile file, URI mirror, Path part) {
        String failure = null;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            long before = Download.size(part);
            try {
                failure = download.transfer(file, mirror, part);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new KofnException(
                        ExitCode.INTERRUPTED, file.name() + ": interrupted; the next fetch goes on from here", e);
            }
            if (failure == null) {
                Digest actual = file.digest().of(part);
                if (actual.equals(file.digest())) {
                    return null;
                }
                Folders.delete(part);
                failure = "wrong checksum: expected " + file.digest() + ", got " + actual;
                if (before == 0) {
                    return failure;
                }
                // The piece from before may have been the bad one: once more from the start.
            } else if (Download.size(part) <= before) {
                return failure;
            }
        }
        return failure;
    }

    private static void move(Path part, Path target) {
        try {
            Files.move(part, target, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be written: %s", target, Folders.reason(e));
        }
    }
}
