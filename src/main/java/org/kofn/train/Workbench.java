package org.kofn.train;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.compress.Compression;
import org.kofn.data.Augmentation;
import org.kofn.data.Batches;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.data.Split;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.MaskedWeight;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.nn.Zoo;
import org.kofn.prune.DynamicProbabilisticPruning;
import org.kofn.prune.Magnitude;
import org.kofn.prune.PruningMethod;
import org.kofn.prune.RandomPruning;
import org.kofn.recipe.LayerPlan;
import org.kofn.recipe.Precision;
import org.kofn.recipe.PruneRecipe;
import org.kofn.recipe.Recipe;
import org.kofn.torch.Devices;

/**
 * What a recipe asks for, built: device, data, network, module, compression. A new pruning method is one more case in
 * {@link #method}.
 *
 * @param recipe the recipe
 * @param device where everything lives
 * @param kernels which implementation runs, and why
 * @param train the training part, without what is held out
 * @param training shuffled, augmented batches of it
 * @param validation the part held out; null when none is
 * @param network the network as data
 * @param module the network as TorchScript
 * @param plans what is pruned and to which k, in network order
 * @param compression latent weights, masks, method
 */
record Workbench(
        Recipe recipe,
        Device device,
        Kernels.Choice kernels,
        Dataset train,
        Batches training,
        Dataset validation,
        Network network,
        ScriptModule module,
        List<LayerPlan> plans,
        Compression compression)
        implements AutoCloseable {

    /** Builds everything; all of the recipe that needs data or network is checked on the way. */
    static Workbench of(Recipe recipe, String kernelName) {
        Device device = Devices.parse(recipe.device());
        // Also where LibTorch's own number is taken: OpenBLAS may have another, and provenance knows of one alone.
        Devices.setThreads(recipe.threads() > 0 ? recipe.threads() : torch.get_num_threads());
        Kernels.Choice kernels = Kernels.choose(kernelName, device);
        return of(recipe, device, kernels, DataCatalog.load(recipe.data().name(), dir(recipe), Part.TRAIN));
    }

    /** Builds the rest on a device, over training data that are at hand, whatever the recipe calls them. */
    static Workbench of(Recipe recipe, Device device, Kernels.Choice kernels, Dataset all) {
        Network network = Zoo.build(recipe.model().name(), shape(all), all.classes());
        List<LayerPlan> plans = recipe.prune() == null ? List.of() : LayerPlan.resolve(recipe.prune(), network);
        long held = recipe.data().validationCount(all.size());
        Dataset[] parts = Split.holdOut(all, held, recipe.seed());
        Dataset train = parts[0].to(device);
        Augmentation augmentation = new Augmentation(
                recipe.data().shift(), recipe.data().crop(), recipe.data().flip());
        Batches training = new Batches(train, augmentation, recipe.batch(), recipe.seed(), true);
        Dataset validation = held == 0 ? null : parts[1].to(device);
        ScalarType type = recipe.precision() == Precision.BF16 ? ScalarType.BFloat16 : ScalarType.Float;
        ScriptModule module = TorchScriptCompiler.compile(network, recipe.seed(), type, device);
        Compression compression = compression(recipe, kernels.kernels(), module.parameters(), plans);
        return new Workbench(recipe, device, kernels, train, training, validation, network, module, plans, compression);
    }

    /** Sets every layer's k for a point of the prune phases. */
    void setKept(double pruneProgress) {
        for (int i = 0; i < plans.size(); i++) {
            compression.pruned().get(i).k(plans.get(i).k(pruneProgress));
        }
    }

    /** The test part: looked at once, at the end. */
    Dataset test() {
        return DataCatalog.load(recipe.data().name(), dir(recipe), Part.TEST).to(device);
    }

    @Override
    public void close() {
        kernels.kernels().close();
        training.close();
        if (validation != null) {
            validation.close();
        }
        module.close();
    }

    private static Path dir(Recipe recipe) {
        return recipe.data().dir() == null ? null : Path.of(recipe.data().dir());
    }

    /** The shape of one image. */
    static Shape shape(Dataset dataset) {
        Tensor images = dataset.images();
        return new Shape((int) images.size(1), (int) images.size(2), (int) images.size(3));
    }

    private static Compression compression(
            Recipe recipe, Kernels kernels, Map<String, Tensor> parameters, List<LayerPlan> plans) {
        Map<String, MaskedWeight> pruned = new LinkedHashMap<>();
        for (int i = 0; i < plans.size(); i++) {
            Network.Weight weight = plans.get(i).weight();
            pruned.put(
                    weight.parameter(),
                    Compression.latent(weight.layer(), i, plans.get(i).layout(), parameters.get(weight.parameter())));
        }
        PruningMethod method = recipe.prune() == null ? null : method(recipe, kernels, List.copyOf(pruned.values()));
        return new Compression(kernels, parameters, pruned, method);
    }

    private static PruningMethod method(Recipe recipe, Kernels kernels, List<MaskedWeight> weights) {
        PruneRecipe prune = recipe.prune();
        return switch (prune.method()) {
            case "dpp" ->
                new DynamicProbabilisticPruning(
                        kernels,
                        weights,
                        new DynamicProbabilisticPruning.Settings(
                                recipe.seed(),
                                prune.init().equals("magnitude"),
                                prune.initStd(),
                                prune.denseGradient()));
            case "magnitude" -> new Magnitude(kernels, weights, prune.every(), prune.denseGradient());
            case "random" -> new RandomPruning(kernels, weights, recipe.seed(), prune.every(), prune.denseGradient());
            default -> throw new IllegalStateException(prune.method());
        };
    }
}
