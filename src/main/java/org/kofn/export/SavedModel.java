package org.kofn.export;

import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;

/** A trained network as a run left it, in one of its forms, ready to classify images. */
public interface SavedModel extends AutoCloseable {
    /** The file that it was read from. */
    Path file();

    /** What runs it. */
    ModelRuntime runtime();

    /** The recipe that it carries: which data it was trained on, above all. */
    Recipe recipe();

    /** Where images have to be. */
    Device device();

    /** The size of batch that suits it. */
    int batch();

    /**
     * The class scores of a batch. Call it inside a {@code PointerScope}: the result belongs to the caller's scope.
     *
     * @param images float32 [batch, channels, height, width] on {@link #device}, normalised as in training
     * @return float32 [batch, classes]
     */
    Tensor logits(Tensor images);

    @Override
    void close();

    /** The recipe that a file carries; one that does not parse is damage of that file. */
    static Recipe recipe(Path file, String yaml) {
        if (yaml == null) {
            throw KofnException.file("%s: carries no recipe, so not a model of kofn's; give a run folder", file);
        }
        try {
            return RecipeReader.parse(yaml, "its recipe");
        } catch (KofnException e) {
            throw KofnException.file(e, "%s: %s", file, e.getMessage());
        }
    }
}
