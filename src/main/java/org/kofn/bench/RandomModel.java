package org.kofn.bench;

import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.export.CompactFile;
import org.kofn.export.PrunedTensor;
import org.kofn.export.RunFolder;
import org.kofn.export.Verifier;
import org.kofn.mask.Keep;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.recipe.LayerPlan;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.torch.Tensors;

/**
 * The models of a run that never was: random weights, batch norms as training leaves them, and random masks in all
 * layers but the first and the last: kernels in convolutions, single weights in linear layers. How fast a network is
 * does not depend on what it learned.
 */
public final class RandomModel {
    private static final Device CPU = Tensors.keep(new Device("cpu"));

    private RandomModel() {}

    /**
     * Writes {@code model.pt} and {@code model.safetensors} into a folder.
     *
     * @param name a network of the zoo
     * @param density what stays of every group: k/n or a percentage
     * @throws KofnException (usage) for an unknown network, or one without a layer between the first and the last
     */
    public static void write(Path folder, String name, Keep density, long seed) {
        RunFolder run = new RunFolder(folder);
        Network network = ZooInput.network(name);
        String yaml = recipe(network, density);
        Recipe recipe = RecipeReader.parse(yaml, "kofn bench model");
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = TorchScriptCompiler.compile(network, seed, ScalarType.Float, CPU)) {
            module.train(false);
            torch.manual_seed(seed);
            Map<String, Tensor> tensors = new LinkedHashMap<>(module.parameters());
            tensors.putAll(module.buffers());
            tensors.forEach(RandomModel::unsettle);
            List<PrunedTensor> pruned = new ArrayList<>();
            if (recipe.prune() != null) {
                for (LayerPlan plan : LayerPlan.resolve(recipe.prune(), network)) {
                    pruned.add(prune(tensors.get(plan.weight().parameter()), plan));
                }
            }
            module.save(run.modelPt(), Map.of(Verifier.RECIPE_IN_MODULE, yaml));
            CompactFile.write(run.modelSafetensors(), tensors, pruned, yaml, CompactFile.about(network));
        }
    }

    private static String recipe(Network network, Keep density) {
        StringBuilder yaml = new StringBuilder();
        yaml.append("model: ").append(network.name()).append('\n');
        // A recipe has to name some data of the network's size.
        String data =
                network.input().channels() == 3 ? "cifar-10" : network.input().height() == 8 ? "digits" : "mnist";
        yaml.append("data: ").append(data).append('\n');
        List<Network.Weight> weights = network.weights();
        if (!density.isAll()) {
            double part = density.k() == 0 ? density.fraction() : (double) density.k() / density.n();
            yaml.append("prune:\n  layers:\n");
            for (Network.Weight weight : weights.subList(1, weights.size() - 1)) {
                String granularity = weight.shape().length == 4 ? "kernel" : "weight";
                yaml.append(String.format(
                        "    - {match: \"%s\", granularity: %s, keep: %s%%}%n",
                        weight.layer(), granularity, new BigDecimal(100 * part).toPlainString()));
            }
        }
        return yaml.append("phases:\n  - {phase: ")
                .append(density.isAll() ? "dense" : "prune")
                .append(", epochs: 1}\n")
                .toString();
    }

    /** Batch norms as training leaves them: scales of either sign, shifts, means, variances. */
    private static void unsettle(String name, Tensor tensor) {
        GeneratorOptional generator = new GeneratorOptional();
        if (name.endsWith(".running_var")) {
            tensor.uniform_(0.5, 1.5, generator);
        } else if (tensor.dim() == 1 && name.endsWith(".weight")) {
            tensor.normal_(0.6, 0.4, generator);
        } else if (tensor.dim() == 1) {
            tensor.normal_(0, 0.3, generator);
        }
    }

    /** Zeroes what a random mask drops, and makes the rest larger, so that deep networks do not fade. */
    private static PrunedTensor prune(Tensor weight, LayerPlan plan) {
        MaskLayout layout = plan.layout();
        long[] size = {layout.groups(), layout.candidates()};
        Tensor drawn = torch.rand(size).topk(plan.goalK()).get1();
        Tensor mask = torch.zeros(size, new TensorOptions(ScalarType.Bool)).scatter_(1, drawn, new Scalar(1));
        weight.view(layout.view()).mul_(layout.spread(mask).to(ScalarType.Float));
        weight.mul_(new Scalar(Math.sqrt((double) layout.candidates() / plan.goalK())));
        return new PrunedTensor(plan.weight().parameter(), layout, plan.goalK(), mask);
    }
}
