package org.kofn.export;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.AtomicFile;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.nn.Zoo;
import org.kofn.recipe.LayerPlan;
import org.kofn.recipe.Precision;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.recipe.RecipeWriter;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;

/** The folder of a run that never trained: fresh weights under random masks, with all its files. */
final class Run {
    static final Device CPU = Tensors.keep(new Device("cpu"));

    private Run() {}

    static final String RECIPE =
            """
            model: digits-cnn
            data: digits
            precision: %s
            prune:
              layers:
                - {match: conv1, granularity: filter, keep: 8/16}
                - {match: conv2, granularity: kernel, share: 2, keep: 4/16}
                - {match: fc1, keep: 5%%}
                - {match: fc2, keep: "2:4"}
            phases:
              - {phase: prune, epochs: 1}
            """;

    /** Writes every file of a run. */
    static RunFolder write(Path dir, String precision) {
        // As the trainer does and verify will: left alone, OpenBLAS splits its products in another way.
        Devices.setThreads(torch.get_num_threads());
        RunFolder run = new RunFolder(dir);
        Recipe recipe = RecipeReader.parse(String.format(RECIPE, precision), "test");
        String yaml = RecipeWriter.toYaml(recipe);
        Network network = Zoo.build(recipe.model().name(), new Shape(1, 8, 8), 10);
        ScalarType type = recipe.precision() == Precision.BF16 ? ScalarType.BFloat16 : ScalarType.Float;
        Random random = new Random(3);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = TorchScriptCompiler.compile(network, 5, type, CPU);
                Dataset test = DataCatalog.load("digits", null, Part.TEST)) {
            module.train(false);
            List<PrunedTensor> pruned = new ArrayList<>();
            List<LayerSummary> layers = new ArrayList<>();
            long dropped = 0;
            for (LayerPlan plan : LayerPlan.resolve(recipe.prune(), network)) {
                String name = plan.weight().parameter();
                PrunedTensor layer = Models.mask(name, plan.layout(), plan.goalK(), random);
                pruned.add(layer);
                Tensor weight = module.parameters().get(name);
                Tensor off = plan.layout().spread(layer.mask()).logical_not();
                weight.view(plan.layout().view())
                        .masked_fill_(off, Tensors.of(new float[1]).to(type));
                dropped += weight.numel() - layer.kept();
                layers.add(new LayerSummary(
                        plan.weight().layer(),
                        plan.layout().granularity().label(),
                        plan.layout().groups(),
                        plan.layout().candidates(),
                        plan.goalK(),
                        plan.layout().share(),
                        32,
                        0.5,
                        0.5));
            }
            Map<String, Tensor> tensors = new LinkedHashMap<>(module.parameters());
            tensors.putAll(module.buffers());
            module.save(run.modelPt(), Map.of(Verifier.RECIPE_IN_MODULE, yaml));
            CompactFile.write(run.modelSafetensors(), tensors, pruned, yaml, CompactFile.about(network));
            AtomicFile.writeString(run.recipe(), yaml);
            Map<String, String> data = Map.of("test", test.checksum());
            Provenance.of(CPU, precision, 1, data, Instant.EPOCH, Instant.EPOCH).write(run.provenance());
            try (TestLogits logits = TestLogits.of(module, test, CPU)) {
                long total = module.parameters().values().stream()
                        .mapToLong(Tensor::numel)
                        .sum();
                long bytes = tensors.values().stream().mapToLong(Tensor::nbytes).sum();
                new Summary(
                                "digits-cnn",
                                "digits",
                                "dpp",
                                logits.accuracy(),
                                null,
                                logits.loss(),
                                logits.sha256(),
                                total,
                                total - dropped,
                                1,
                                1,
                                bytes,
                                run.modelSafetensors().toFile().length(),
                                1,
                                layers)
                        .write(run.summary());
            }
        }
        return run;
    }
}
