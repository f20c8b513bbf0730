package org.kofn.export;

import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.nn.ScriptModule;
import org.kofn.recipe.Recipe;

/**
 * {@code model.pt} in LibTorch.
 *
 * @param file a TorchScript file that kofn wrote
 * @param recipe the one inside it
 * @param device where the module is
 * @param module in evaluation mode
 */
public record ScriptedModel(Path file, Recipe recipe, Device device, ScriptModule module) implements SavedModel {
    /**
     * Opens a file.
     *
     * @param device where it runs; the caller's
     * @throws KofnException (file) when it is no TorchScript, or carries no recipe
     */
    public static ScriptedModel open(Path file, Device device) {
        ScriptModule module = ScriptModule.load(file, device);
        try {
            Recipe recipe = SavedModel.recipe(file, module.extra(Verifier.RECIPE_IN_MODULE));
            module.train(false);
            return new ScriptedModel(file, recipe, device, module);
        } catch (RuntimeException e) {
            module.close();
            throw e;
        }
    }

    @Override
    public ModelRuntime runtime() {
        return ModelRuntime.TORCHSCRIPT;
    }

    /** The trainer's: so the results are its own, bit for bit. */
    @Override
    public int batch() {
        return TestLogits.BATCH;
    }

    @Override
    public Tensor logits(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            return module.forward(images);
        }
    }

    @Override
    public void close() {
        module.close();
    }
}
