package org.kofn.export;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.export.Report.LayerRow;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.recipe.LayerPlan;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;

/**
 * Proves that what a run left behind is what it claims to be, from the files alone: the compact file keeps exactly k of
 * n in every group, as the recipe asked; the TorchScript file has the same weights, bit for bit, and computes the same;
 * both give the logits on the test set that the trainer saw; the sparse runtime gives them too, up to rounding; and the
 * summary's numbers are theirs.
 *
 * <p>A claim that does not hold is a failed check, not an exception, so that one report shows them all. Only a folder
 * that lacks a file is an error.
 */
public final class Verifier {
    /** The name under which {@code model.pt} carries the resolved recipe. */
    public static final String RECIPE_IN_MODULE = "recipe.yaml";

    private final RunFolder run;
    private final Device device;
    private final Recipe recipe;
    private final Provenance provenance;
    private final Summary summary;
    private final Findings findings = new Findings();
    private final List<LayerRow> rows = new ArrayList<>();
    private Report.Sparse sparse;

    private Verifier(RunFolder run, Device device) {
        this.run = run;
        this.device = device;
        this.recipe = RecipeReader.read(run.require(run.recipe()), List.of(), 1);
        this.provenance = Provenance.read(run.require(run.provenance()));
        this.summary = Summary.read(run.require(run.summary()));
    }

    /**
     * Checks a run.
     *
     * @param path the run folder
     * @param device where the networks are run
     * @return every check; the run is proved when {@link Report#passed}
     * @throws KofnException (file) when {@code path} is no folder of a finished run
     */
    public static Report verify(Path path, Device device) {
        RunFolder run = RunFolder.open(path);
        run.require(run.modelPt());
        run.require(run.modelSafetensors());
        Verifier verifier = new Verifier(run, device);
        int threads = torch.get_num_threads();
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            Devices.setThreads(Math.max(1, verifier.provenance.threads()));
            verifier.verify();
        } finally {
            Devices.setThreads(threads);
        }
        return new Report(verifier.findings.checks(), verifier.rows, verifier.sparse);
    }

    private void verify() {
        CompactModel compact = findings.open("model.safetensors reads", () -> CompactFile.read(run.modelSafetensors()));
        ScriptModule module = findings.open("model.pt reads", () -> ScriptModule.load(run.modelPt(), device));
        try (compact;
                module) {
            if (compact == null || module == null) {
                return;
            }
            Network network = findings.open("the network is known", compact::network);
            Map<String, Tensor> dense = new LinkedHashMap<>(module.parameters());
            dense.putAll(module.buffers());
            checkRecipes(compact, module);
            if (network != null) {
                checkPlan(compact, network);
            }
            checkMasks(compact, dense);
            String difference = Bits.difference(compact.tensors(), dense);
            findings.claim("same weights in both files, bit for bit", difference, dense.size() + " tensors");
            long bytes = run.modelSafetensors().toFile().length();
            new SummaryCheck(summary, compact, module.parameters(), bytes).run(findings);
            if (network != null) {
                new LogitsCheck(recipe, provenance, summary, device, findings).run(compact, module, network);
                sparse = new RuntimeCheck(compact, network, findings).run();
            }
        }
    }

    private void checkRecipes(CompactModel compact, ScriptModule module) {
        String wrong = null;
        if (!recipe.equals(parse(compact.recipe()))) {
            wrong = "model.safetensors carries another recipe than recipe.yaml";
        } else if (!recipe.equals(parse(module.extra(RECIPE_IN_MODULE)))) {
            wrong = "model.pt carries another recipe than recipe.yaml";
        }
        findings.claim("one recipe in all files", wrong, "");
    }

    private static Recipe parse(String yaml) {
        try {
            return yaml == null ? null : RecipeReader.parse(yaml, "recipe");
        } catch (KofnException e) {
            return null;
        }
    }

    /** The pruned tensors are those that the recipe names, with its granularity and its k. */
    private void checkPlan(CompactModel compact, Network network) {
        Map<String, PrunedTensor> found = new LinkedHashMap<>();
        compact.pruned().forEach(layer -> found.put(layer.parameter(), layer));
        String wrong = null;
        List<LayerPlan> plans = List.of();
        try {
            plans = recipe.prune() == null ? plans : LayerPlan.resolve(recipe.prune(), network);
        } catch (KofnException e) {
            wrong = e.getMessage();
        }
        for (LayerPlan plan : plans) {
            PrunedTensor layer = found.remove(plan.weight().parameter());
            if (layer == null || layer.k() != plan.goalK() || !layer.layout().equals(plan.layout())) {
                wrong = plan.weight().layer() + ": the recipe keeps " + plan.goalK() + " of " + plan.layout()
                        + ", the file " + (layer == null ? "everything" : layer.k() + " of " + layer.layout());
            }
        }
        if (wrong == null && !found.isEmpty()) {
            wrong = found.keySet().iterator().next() + ": pruned, but not by the recipe";
        }
        findings.claim("pruned as the recipe asks", wrong, plans.size() + " layers");
    }

    /** Exactly k of n in every group of the compact file, and no weight of model.pt outside the mask. */
    private void checkMasks(CompactModel compact, Map<String, Tensor> dense) {
        String wrong = null;
        long groups = 0;
        for (PrunedTensor layer : compact.pruned()) {
            String here = checkMask(layer, dense.get(layer.parameter()));
            wrong = wrong == null ? here : wrong;
            groups += layer.layout().groups();
        }
        findings.claim(
                "exactly k of n",
                wrong,
                groups + " groups in " + compact.pruned().size() + " layers");
    }

    /** What is wrong with one layer, or null; adds its row to the report. */
    private String checkMask(PrunedTensor layer, Tensor weight) {
        MaskLayout layout = layer.layout();
        long group = layer.wrongGroup();
        if (group >= 0) {
            return layer.parameter() + ": group " + group + " does not keep exactly " + layer.k();
        }
        if (weight == null || !Arrays.equals(Tensors.shape(weight), layout.shape())) {
            return layer.parameter() + ": model.pt has no such weight, or of another shape";
        }
        try (PointerScope scope = new PointerScope()) {
            Tensor used = weight.detach().cpu().contiguous().view(layout.view()).to(ScalarType.Bool);
            Tensor kept = layout.spread(layer.mask());
            long outside = used.logical_and(kept.logical_not()).count_nonzero().item_long();
            rows.add(row(layer, weight, layer.kept() - (used.count_nonzero().item_long() - outside)));
            return outside == 0
                    ? null
                    : layer.parameter() + ": " + outside + " weights of model.pt lie outside the mask";
        }
    }

    private static LayerRow row(PrunedTensor layer, Tensor weight, long zeros) {
        MaskLayout layout = layer.layout();
        long width = weight.element_size();
        MaskCode code = MaskCode.smallest(layout.candidates(), layer.k());
        return new LayerRow(
                layer.parameter(),
                layout.granularity().label(),
                layout.groups(),
                layout.candidates(),
                layer.k(),
                layout.share(),
                layout.elements(),
                zeros,
                weight.numel() * width,
                layer.kept() * width + code.bytes(layout.groups(), layout.candidates(), layer.k()));
    }
}
