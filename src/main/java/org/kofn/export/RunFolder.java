package org.kofn.export;

import java.nio.file.Files;
import java.nio.file.Path;
import org.kofn.base.KofnException;

/**
 * The folder of a run, and the names of what lies in it.
 *
 * @param path the folder, such as {@code runs/quickstart}
 */
public record RunFolder(Path path) {

    /**
     * The folder of a run that began.
     *
     * @throws KofnException (file) when {@code path} is no folder, or holds no {@code recipe.yaml}
     */
    public static RunFolder open(Path path) {
        if (!Files.exists(path)) {
            throw KofnException.file("%s: no such run folder; 'kofn train RECIPE --out %s' makes one", path, path);
        }
        if (!Files.isDirectory(path)) {
            throw KofnException.file("%s: a file, not a run folder; give the folder that 'kofn train' wrote", path);
        }
        RunFolder folder = new RunFolder(path);
        if (!Files.isRegularFile(folder.recipe())) {
            throw KofnException.file("%s: no run folder: it holds no recipe.yaml", path);
        }
        return folder;
    }

    /** The TorchScript module with its masks folded in. */
    public Path modelPt() {
        return path.resolve("model.pt");
    }

    /** The compact model. */
    public Path modelSafetensors() {
        return path.resolve("model.safetensors");
    }

    /** The resolved recipe. */
    public Path recipe() {
        return path.resolve("recipe.yaml");
    }

    /** Versions, checksums, device and times: see {@link Provenance}. */
    public Path provenance() {
        return path.resolve("provenance.json");
    }

    /** The results: see {@link Summary}. */
    public Path summary() {
        return path.resolve("summary.json");
    }

    /** A line of JSON an epoch. */
    public Path metrics() {
        return path.resolve("metrics.jsonl");
    }

    /** The folder of checkpoints. */
    public Path checkpoints() {
        return path.resolve("checkpoints");
    }

    /**
     * A file of this folder that must be there.
     *
     * @param file one of the above
     * @return {@code file}
     * @throws KofnException (file) saying whether the run has not finished or the file is gone
     */
    public Path require(Path file) {
        if (!Files.isRegularFile(file)) {
            String name = file.getFileName().toString();
            throw Files.exists(summary())
                    ? KofnException.file("%s: %s is missing; train again with --force to write it anew", path, name)
                    : KofnException.file("%s: no %s yet; 'kofn train --resume' finishes the run", path, name);
        }
        return file;
    }
}
