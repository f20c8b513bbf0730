package org.kofn.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.kofn.base.KofnException;

/** The checkpoints of a run folder: the last few by step, and the best by validation accuracy. */
final class CheckpointStore {
    private static final String PREFIX = "last-";
    private static final String SUFFIX = ".safetensors";

    private final Path folder;
    private final int keep;

    CheckpointStore(Path folder, int keep) {
        this.folder = folder;
        this.keep = keep;
    }

    Path folder() {
        return folder;
    }

    Path best() {
        return folder.resolve("best" + SUFFIX);
    }

    /** Writes the checkpoint of a step, then removes those that are too many; the newest is never in danger. */
    void writeLast(Checkpoint checkpoint, long step) {
        checkpoint.write(folder.resolve(String.format("%s%09d%s", PREFIX, step, SUFFIX)));
        List<Path> all = all();
        try {
            for (Path old : all.subList(0, Math.max(0, all.size() - keep))) {
                Files.deleteIfExists(old);
            }
        } catch (IOException e) {
            throw KofnException.file(e, "%s: an old checkpoint cannot be removed: %s", folder, e.getMessage());
        }
    }

    /** The newest checkpoint's file. */
    Optional<Path> newest() {
        List<Path> all = all();
        return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.size() - 1));
    }

    /** The newest checkpoint, which must be there, whole, and of this recipe. */
    Checkpoint resume(String recipe) {
        Path file = newest().orElseThrow(() -> KofnException.usage(
                "--resume: there is no checkpoint in %s yet; --force starts the run again", folder));
        Checkpoint checkpoint;
        try {
            checkpoint = Checkpoint.read(file);
        } catch (KofnException e) {
            throw KofnException.file(e, "%s; remove that file to resume from the one before it", e.getMessage());
        }
        String theirs = checkpoint.metadata().getOrDefault("recipe", "");
        if (!theirs.equals(recipe)) {
            throw KofnException.usage(
                    "--resume: %s is of another recipe: %s; resume with the same recipe, or start again with --force",
                    file, firstDifference(theirs, recipe));
        }
        return checkpoint;
    }

    private List<Path> all() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.getFileName().toString().startsWith(PREFIX)
                            && file.getFileName().toString().endsWith(SUFFIX))
                    .sorted(Comparator.comparing(Path::getFileName))
                    .toList();
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", folder, e.getMessage());
        }
    }

    private static String firstDifference(String theirs, String ours) {
        List<String> a = theirs.lines().toList();
        List<String> b = ours.lines().toList();
        for (int line = 0; line < Math.max(a.size(), b.size()); line++) {
            String was = line < a.size() ? a.get(line).strip() : "(nothing)";
            String is = line < b.size() ? b.get(line).strip() : "(nothing)";
            if (!was.equals(is)) {
                return "it has '" + was + "', now '" + is + "'";
            }
        }
        return "the layout differs";
    }
}
