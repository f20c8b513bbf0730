package org.kofn.train;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.AtomicFile;
import org.kofn.base.KofnException;
import org.kofn.data.Dataset;
import org.kofn.export.CompactFile;
import org.kofn.export.LayerSummary;
import org.kofn.export.Provenance;
import org.kofn.export.PrunedTensor;
import org.kofn.export.RunFolder;
import org.kofn.export.Summary;
import org.kofn.export.TestLogits;
import org.kofn.kernels.MaskedWeight;
import org.kofn.mask.MaskMetrics;
import org.kofn.nn.Cost;
import org.kofn.nn.Network;
import org.kofn.recipe.LayerPlan;

/** Writes what a finished run leaves behind; the module holds the effective weights of the frozen masks. */
final class Artefacts {
    private final Workbench bench;
    private final RunFolder folder;
    private final String recipeYaml;
    private final MaskWatch masks;

    Artefacts(Workbench bench, RunFolder folder, String recipeYaml, MaskWatch masks) {
        this.bench = bench;
        this.folder = folder;
        this.recipeYaml = recipeYaml;
        this.masks = masks;
    }

    /**
     * Writes the models, tests once, and writes what was found. The summary comes last: where it is, the run is whole.
     */
    Summary write(Double validationAccuracy, Instant started, double seconds) {
        try (PointerScope scope = new PointerScope()) {
            bench.module().train(false);
            bench.module().save(folder.modelPt(), Map.of("recipe.yaml", recipeYaml));
            CompactFile.write(
                    folder.modelSafetensors(), tensors(), pruned(), recipeYaml, CompactFile.about(bench.network()));
            Map<String, String> checksums = new LinkedHashMap<>();
            checksums.put("train", bench.train().checksum());
            try (Dataset set = bench.test();
                    TestLogits test = TestLogits.of(bench.module(), set, bench.device())) {
                checksums.put("test", set.checksum());
                Provenance.of(
                                bench.device(),
                                bench.recipe().precision().name().toLowerCase(Locale.ROOT),
                                bench.recipe().seed(),
                                checksums,
                                started,
                                Instant.now())
                        .write(folder.provenance());
                Summary summary = summary(validationAccuracy, test, seconds);
                summary.write(folder.summary());
                return summary;
            }
        }
    }

    /** The recipe, written when the run starts. */
    static void writeRecipe(RunFolder folder, String recipeYaml) {
        AtomicFile.writeString(folder.recipe(), recipeYaml);
    }

    private Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>(bench.module().parameters());
        tensors.putAll(bench.module().buffers());
        return tensors;
    }

    private List<PrunedTensor> pruned() {
        List<PrunedTensor> pruned = new ArrayList<>();
        for (int i = 0; i < bench.plans().size(); i++) {
            MaskedWeight weight = bench.compression().pruned().get(i);
            String parameter = bench.plans().get(i).weight().parameter();
            pruned.add(new PrunedTensor(
                    parameter, weight.layout(), weight.k(), weight.mask().cpu()));
        }
        return pruned;
    }

    private Summary summary(Double validationAccuracy, TestLogits test, double seconds) {
        Map<String, Double> density = new HashMap<>();
        bench.plans().forEach(plan -> density.put(plan.weight().layer(), plan.density()));
        long dropped = 0;
        for (LayerPlan plan : bench.plans()) {
            long elements = plan.layout().groups() * plan.layout().elements();
            dropped += (plan.layout().candidates() - plan.goalK()) * elements;
        }
        long macs = 0;
        long kept = 0;
        for (Cost.LayerCost cost : Cost.of(bench.network())) {
            macs += cost.macs();
            kept += Math.round(cost.macs() * density.getOrDefault(cost.layer(), 1.0));
        }
        long parameters = Cost.parameters(bench.network());
        return new Summary(
                bench.recipe().model().name(),
                bench.recipe().data().name(),
                bench.recipe().prune() == null
                        ? "dense"
                        : bench.recipe().prune().method(),
                test.accuracy(),
                validationAccuracy,
                test.loss(),
                test.sha256(),
                parameters,
                parameters - dropped,
                macs,
                kept,
                tensors().values().stream().mapToLong(Tensor::nbytes).sum(),
                size(),
                seconds,
                layers());
    }

    private List<LayerSummary> layers() {
        Map<String, LayerPlan> plans = new HashMap<>();
        bench.plans().forEach(plan -> plans.put(plan.weight().layer(), plan));
        List<LayerSummary> layers = new ArrayList<>();
        for (Network.Weight weight : bench.network().weights()) {
            int bits = 8
                    * (int) bench.module().parameters().get(weight.parameter()).element_size();
            LayerPlan plan = plans.get(weight.layer());
            if (plan == null) {
                long inputs = 1;
                for (int axis = 1; axis < weight.shape().length; axis++) {
                    inputs *= weight.shape()[axis];
                }
                layers.add(new LayerSummary(
                        weight.layer(), "dense", weight.shape()[0], inputs, inputs, 1, bits, null, null));
                continue;
            }
            MaskMetrics metrics = masks.metrics(weight.layer());
            layers.add(new LayerSummary(
                    weight.layer(),
                    plan.layout().granularity().label(),
                    plan.layout().groups(),
                    plan.layout().candidates(),
                    plan.goalK(),
                    plan.layout().share(),
                    bits,
                    metrics == null ? null : metrics.confidence(),
                    metrics == null ? null : metrics.diversity()));
        }
        return layers;
    }

    private long size() {
        try {
            return Files.size(folder.modelSafetensors());
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", folder.modelSafetensors(), e.getMessage());
        }
    }
}
