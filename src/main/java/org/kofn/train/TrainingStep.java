package org.kofn.train;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;
import org.kofn.compress.Compression;
import org.kofn.data.Batch;
import org.kofn.nn.Layer;
import org.kofn.prune.PruneStep;
import org.kofn.recipe.PruneRecipe;
import org.kofn.recipe.Recipe;
import org.kofn.torch.Philox;

/**
 * One step: masks and effective weights, forward, loss, backward, gradients of latent weights and logits, optimiser.
 * Everything native that it makes is gone when it returns.
 */
final class TrainingStep {
    private static final int MEAN = 1; // at::Reduction::Mean
    private static final int DROPOUT = 0x64726F70; // "drop": a purpose of its own for random numbers

    private final Workbench bench;
    private final Passes passes;
    private final Recipe recipe;
    private final boolean drops;

    TrainingStep(Workbench bench, Passes passes) {
        this.bench = bench;
        this.passes = passes;
        this.recipe = bench.recipe();
        this.drops = bench.network().layers().stream().anyMatch(Layer.Dropout.class::isInstance);
    }

    /** τ, s and β at a point of the prune phases, for a step of the run. */
    static PruneStep pruneStep(PruneRecipe prune, long step, long phaseStep, double progress) {
        return new PruneStep(
                Math.toIntExact(step),
                phaseStep,
                prune.temperature().at(progress),
                prune.noise().at(progress),
                prune.entropy().at(progress));
    }

    /**
     * Trains on one batch.
     *
     * @param epoch the epoch's number
     * @param index the batch in it
     * @param step the step of the run
     * @param prune what the method is told; null outside prune phases
     * @param totals receives loss and hits
     * @throws KofnException (diverged) when the loss is not a number, naming step and layer
     */
    void run(
            long epoch,
            long index,
            long step,
            PruneStep prune,
            Optimizers optimizers,
            double rate,
            double logitRate,
            EpochTotals totals) {
        Compression compression = bench.compression();
        try (PointerScope scope = new PointerScope()) {
            if (drops) {
                // LibTorch's dropout draws from the global generator: seeding it by the step makes a resume exact.
                torch.manual_seed(Philox.derive(recipe.seed(), DROPOUT, (int) step, 0));
            }
            compression.apply(prune);
            Batch batch = bench.training().get(epoch, index);
            Pass pass = passes.current();
            Tensor logits = pass.forward(batch.images());
            Tensor loss = torch.cross_entropy_loss(
                    logits, batch.labels(), new TensorOptional(), MEAN, -100, recipe.labelSmoothing());
            double value = loss.item_double();
            if (!Double.isFinite(value)) {
                throw Divergence.at(step, value, bench);
            }
            compression.clearGradients();
            pass.backward(loss);
            compression.backward();
            optimizers.step(rate, logitRate);
            long hits = logits.detach()
                    .argmax(new LongOptional(1), false)
                    .eq(batch.labels())
                    .sum()
                    .item_long();
            totals.add(value, hits, batch.labels().numel());
        }
    }
}
