package org.kofn.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.InputArchive;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.OptimizerOptions;
import org.bytedeco.pytorch.OptimizerParamGroup;
import org.bytedeco.pytorch.OptimizerParamGroupVector;
import org.bytedeco.pytorch.OutputArchive;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.kofn.base.KofnException;
import org.kofn.recipe.OptimizerRecipe;
import org.kofn.torch.Tensors;

/**
 * LibTorch's optimisers over the masters and the logits.
 *
 * <p>Weights of two and more axes decay; norms, biases and logits never do. Logits have an Adam of their own, whatever
 * steps the weights: only their differences matter, so a step that is free of the gradient's scale fits them, at a rate
 * of their own (some fifty times the weights').
 */
final class Optimizers implements AutoCloseable {
    private static final OptimizerRecipe LOGITS = new OptimizerRecipe("adam", 1e-3, 0, 0.9, false, 0.9, 0.999);

    private final Optimizer weights;
    private final Optimizer logits;

    private Optimizers(Optimizer weights, Optimizer logits) {
        this.weights = weights;
        this.logits = logits;
    }

    /** Fresh optimisers over masters by name, and logits (none: no second optimiser). */
    static Optimizers create(OptimizerRecipe recipe, Map<String, Tensor> masters, Collection<Tensor> logits) {
        List<Tensor> decaying = new ArrayList<>();
        List<Tensor> others = new ArrayList<>();
        masters.values().forEach(tensor -> (tensor.dim() >= 2 ? decaying : others).add(tensor));
        try (PointerScope scope = new PointerScope()) {
            Optimizer weights = Tensors.keep(weightOptimizer(recipe, vector(decaying)));
            if (!others.isEmpty()) {
                weights.add_param_group(new OptimizerParamGroup(vector(others)));
                noDecay(recipe, weights.param_groups().get(1).options());
            }
            Optimizer second =
                    logits.isEmpty() ? null : Tensors.keep(new Adam(vector(logits), (AdamOptions) options(LOGITS, 0)));
            return new Optimizers(weights, second);
        }
    }

    /** One step with these learning rates; tensors without a gradient stay as they are. */
    void step(double rate, double logitRate) {
        step(weights, rate);
        if (logits != null) {
            step(logits, logitRate);
        }
    }

    private static void step(Optimizer optimizer, double rate) {
        OptimizerParamGroupVector groups = optimizer.param_groups();
        for (long g = 0; g < groups.size(); g++) {
            groups.get(g).options().set_lr(rate);
        }
        optimizer.step();
    }

    /** The state of both as bytes, [weights, logits]; the second is empty without logits. */
    byte[][] save(Path folder) {
        return new byte[][] {save(weights, folder), logits == null ? new byte[0] : save(logits, folder)};
    }

    /** Puts a state back, bit for bit. */
    void load(byte[] weightState, byte[] logitState, Path folder) {
        load(weights, weightState, folder);
        if (logits != null) {
            load(logits, logitState, folder);
        }
    }

    @Override
    public void close() {
        weights.close();
        if (logits != null) {
            logits.close();
        }
    }

    /**
     * LibTorch writes archives to paths; a file that lives for a moment in the run folder's file system carries the
     * bytes.
     */
    private static byte[] save(Optimizer optimizer, Path folder) {
        try (PointerScope scope = new PointerScope()) {
            Path file = Files.createTempFile(folder, ".optimizer", ".part");
            try {
                OutputArchive archive = new OutputArchive();
                optimizer.save(archive);
                archive.save_to(file.toString());
                return Files.readAllBytes(file);
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw KofnException.file(e, "%s: the optimiser's state cannot be written: %s", folder, e.getMessage());
        }
    }

    private static void load(Optimizer optimizer, byte[] state, Path folder) {
        try (PointerScope scope = new PointerScope()) {
            Path file = Files.createTempFile(folder, ".optimizer", ".part");
            try {
                Files.write(file, state);
                InputArchive archive = new InputArchive();
                archive.load_from(file.toString());
                optimizer.load(archive);
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw KofnException.file(e, "%s: the optimiser's state cannot be read: %s", folder, e.getMessage());
        }
    }

    private static Optimizer weightOptimizer(OptimizerRecipe recipe, TensorVector tensors) {
        OptimizerOptions options = options(recipe, recipe.weightDecay());
        return switch (recipe.name()) {
            case "sgd" -> new SGD(tensors, (SGDOptions) options);
            case "adamw" -> new AdamW(tensors, (AdamWOptions) options);
            default -> new Adam(tensors, (AdamOptions) options);
        };
    }

    private static OptimizerOptions options(OptimizerRecipe recipe, double decay) {
        switch (recipe.name()) {
            case "sgd" -> {
                SGDOptions options = new SGDOptions(recipe.rate());
                options.momentum().put(recipe.momentum());
                options.nesterov().put(recipe.nesterov() && recipe.momentum() > 0);
                options.weight_decay().put(decay);
                return options;
            }
            case "adamw" -> {
                AdamWOptions options = new AdamWOptions(recipe.rate());
                setBetas(options.betas(), recipe);
                options.weight_decay().put(decay);
                return options;
            }
            default -> {
                AdamOptions options = new AdamOptions(recipe.rate());
                setBetas(options.betas(), recipe);
                options.weight_decay().put(decay);
                return options;
            }
        }
    }

    /**
     * LibTorch keeps the betas in a {@code std::tuple}, which lies backwards in memory with GCC's library and forwards
     * with others; the defaults (0.9, 0.999) tell which.
     */
    private static void setBetas(DoublePointer betas, OptimizerRecipe recipe) {
        int first = betas.get(0) < betas.get(1) ? 0 : 1;
        betas.put(first, recipe.beta1()).put(1 - first, recipe.beta2());
    }

    /**
     * A group starts with a copy of the optimiser's options, and this changes its own. (Options that are given to a
     * group are owned by C++ and by Java at once in these bindings, and are freed under the optimiser's feet.)
     */
    private static void noDecay(OptimizerRecipe recipe, OptimizerOptions options) {
        switch (recipe.name()) {
            case "sgd" -> new SGDOptions(options).weight_decay().put(0);
            case "adamw" -> new AdamWOptions(options).weight_decay().put(0);
            default -> new AdamOptions(options).weight_decay().put(0);
        }
    }

    private static TensorVector vector(Collection<Tensor> tensors) {
        TensorVector vector = new TensorVector();
        tensors.forEach(vector::push_back);
        return vector;
    }
}
