package org.kofn.export;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.kofn.base.KofnException;

/** What runs a saved model, each from a file of its own. */
public enum ModelRuntime {
    /** LibTorch, from {@code model.pt}: dense operations, on any device. */
    TORCHSCRIPT,
    /** The sparse kernels, from {@code model.safetensors}, on any device. */
    SPARSE;

    /** As users write it. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The runtime of a file, by its name. */
    public static ModelRuntime of(Path file) {
        return file.toString().endsWith(".safetensors") ? SPARSE : TORCHSCRIPT;
    }

    /**
     * The file of a run that this runtime reads.
     *
     * @param run a run folder, or such a file itself
     * @throws KofnException (file) when there is none, (usage) when {@code run} is the other runtime's file
     */
    public Path file(Path run) {
        if (!Files.isRegularFile(run)) {
            RunFolder folder = RunFolder.open(run);
            return folder.require(this == SPARSE ? folder.modelSafetensors() : folder.modelPt());
        }
        if (of(run) != this) {
            throw KofnException.usage(
                    "--runtime %s: does not read %s; leave the option out, or give the run folder", word(), run);
        }
        return run;
    }
}
