package org.kofn.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.kofn.base.KofnException;
import org.kofn.export.RunFolder;
import org.kofn.recipe.RecipeWriter;

/** Takes a folder for a run: a fresh one, one to resume in, or, by force, one that held another run. */
final class RunFolders {
    private RunFolders() {}

    /** Checks that the folder may be used; touches nothing. */
    static RunFolder prepare(TrainRequest request) {
        RunFolder folder = new RunFolder(request.out());
        boolean taken = Files.exists(folder.recipe()) || Files.exists(folder.checkpoints());
        if (request.resume() && request.force()) {
            throw KofnException.usage("--resume continues and --force starts again: give one of them");
        }
        if (request.resume() && !taken) {
            throw KofnException.usage("--resume: there is no run in %s; leave out --resume to start", request.out());
        }
        if (taken && !request.resume() && !request.force()) {
            throw KofnException.usage(
                    "%s holds a run already; --resume continues it, --force starts again, --out DIR goes elsewhere",
                    request.out());
        }
        if (Files.exists(request.out()) && !Files.isDirectory(request.out())) {
            throw KofnException.usage("--out: %s is a file; give a folder", request.out());
        }
        return folder;
    }

    /** Makes the folder ready: what an older run left goes, the recipe is written. */
    static void open(RunFolder folder, TrainRequest request) {
        if (request.resume()) {
            removeLeftovers(folder);
            return;
        }
        try {
            for (Path old : List.of(
                    folder.summary(),
                    folder.provenance(),
                    folder.modelPt(),
                    folder.modelSafetensors(),
                    folder.metrics(),
                    folder.recipe())) {
                Files.deleteIfExists(old);
            }
            if (Files.isDirectory(folder.checkpoints())) {
                try (Stream<Path> files = Files.walk(folder.checkpoints())) {
                    for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.delete(file);
                    }
                }
            }
            Files.createDirectories(folder.checkpoints());
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be made ready: %s", request.out(), e.getMessage());
        }
        Artefacts.writeRecipe(folder, RecipeWriter.toYaml(request.recipe()));
    }

    /** What a kill left half-written; nothing ever reads it, but it would stay for good. */
    private static void removeLeftovers(RunFolder folder) {
        try (Stream<Path> files = Files.list(folder.checkpoints())) {
            for (Path file :
                    files.filter(file -> file.toString().endsWith(".part")).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be made ready: %s", folder.checkpoints(), e.getMessage());
        }
    }
}
