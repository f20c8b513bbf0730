package org.kofn.train;

import java.util.Collection;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.kofn.compress.Compression;
import org.kofn.data.Dataset;
import org.kofn.kernels.Kernels;
import org.kofn.prune.PruneStep;
import org.kofn.recipe.OptimizerRecipe;
import org.kofn.recipe.PruneRecipe;
import org.kofn.recipe.Recipe;

/**
 * The trainer's step one at a time, over data at hand: no files, validation or schedule. For measuring what a step
 * costs; {@link Trainer} is what trains.
 */
public final class StepRunner implements AutoCloseable {
    /** Where in the prune phases all steps are: where k, temperature and noise are on their way. */
    private static final double PROGRESS = 0.5;

    private final Workbench bench;
    private final TrainingStep trainingStep;
    private final OptimizerRecipe optimizerRecipe;
    private final Optimizers optimizers;
    private final EpochTotals totals = new EpochTotals();
    private long step;

    private StepRunner(Workbench bench) {
        this.bench = bench;
        this.trainingStep = new TrainingStep(bench, new Passes(bench, line -> {}));
        this.optimizerRecipe =
                bench.recipe().optimizerOf(bench.recipe().phases().get(0));
        Compression compression = bench.compression();
        Collection<Tensor> logits = List.of();
        if (compression.method() != null) {
            compression.method().begin();
            compression.mode(Compression.Mode.PRUNE);
            bench.setKept(PROGRESS);
            logits = compression.method().logits().values();
        }
        this.optimizers = Optimizers.create(optimizerRecipe, compression.masters(), logits);
    }

    /**
     * Everything that steps of the recipe's first phase need; with a prune section, they are prune steps.
     *
     * @param recipe whose device and data set are not looked at
     * @param data the training set; what the recipe holds out of it for validation is held out
     */
    public static StepRunner of(Recipe recipe, Device device, Kernels.Choice kernels, Dataset data) {
        return new StepRunner(Workbench.of(recipe, device, kernels, data));
    }

    /** The next step; after the last batch of the data comes the first of a new order. */
    public void step() {
        PruneRecipe prune = bench.recipe().prune();
        PruneStep now = prune == null ? null : TrainingStep.pruneStep(prune, step, step, PROGRESS);
        double logitRate = prune == null ? 0 : prune.logitRate().at(PROGRESS);
        long batches = bench.training().perEpoch();
        trainingStep.run(
                step / batches, step % batches, step, now, optimizers, optimizerRecipe.rate(), logitRate, totals);
        step++;
    }

    /** The mean loss of all steps so far. */
    public double loss() {
        return totals.loss();
    }

    @Override
    public void close() {
        optimizers.close();
        bench.close();
    }
}
