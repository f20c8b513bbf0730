package org.kofn.train;

import java.time.Instant;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.compress.Compression;
import org.kofn.export.RunFolder;
import org.kofn.export.Summary;
import org.kofn.export.TestLogits;
import org.kofn.prune.PruneStep;
import org.kofn.recipe.OptimizerRecipe;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeWriter;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;

/**
 * Runs a recipe: its phases, epoch by epoch and step by step, with checkpoints, and the artefacts at the end.
 *
 * <p>All that a step depends on is a function of (recipe, step) or part of a checkpoint, so that a run that was killed
 * and resumed ends with the same bits as one that was not.
 */
public final class Trainer {
    private final TrainRequest request;
    private final Recipe recipe;
    private final String recipeYaml;
    private final Workbench bench;
    private final RunPlan plan;
    private final Passes passes;
    private final TrainingStep trainingStep;
    private final MetricsLog metrics;
    private final CheckpointStore store;
    private final MaskWatch masks;
    private final RunState state;
    private final long perEpoch;
    private final Instant started = Instant.now();

    private Optimizers optimizers;
    private long imagesSeen;

    private Trainer(TrainRequest request, RunFolder folder, Workbench bench) {
        this.request = request;
        this.recipe = request.recipe();
        this.recipeYaml = RecipeWriter.toYaml(recipe);
        this.bench = bench;
        this.perEpoch = bench.training().perEpoch();
        this.plan = RunPlan.of(recipe, perEpoch);
        this.passes = new Passes(bench, request.progress()::message);
        this.trainingStep = new TrainingStep(bench, passes);
        this.metrics = new MetricsLog(folder.metrics());
        this.store =
                new CheckpointStore(folder.checkpoints(), recipe.checkpoint().keep());
        this.masks = new MaskWatch(bench.compression());
        this.state = new RunState(bench, passes, masks);
    }

    /**
     * Trains, prunes, fine-tunes and writes the run folder.
     *
     * @throws KofnException usage: the recipe does not fit the network or the folder is taken; file: data or disk;
     *     device; diverged; interrupted or terminated, after a checkpoint
     */
    public static TrainingResult run(TrainRequest request) {
        RunFolder folder = RunFolders.prepare(request);
        try (Workbench bench = Workbench.of(request.recipe(), request.kernels())) {
            RunFolders.open(folder, request);
            Trainer trainer = new Trainer(request, folder, bench);
            try (Passes passes = trainer.passes) {
                trainer.announce();
                trainer.loop();
                return new TrainingResult(folder.path(), trainer.finish(folder));
            }
        } finally {
            request.progress().ended();
        }
    }

    private void announce() {
        request.progress()
                .message(String.format(
                        "%s on %s, %d images a batch, %s, %s; kernels: %s (%s)",
                        recipe.model().name(),
                        recipe.data().name(),
                        recipe.batch(),
                        Devices.describe(bench.device()),
                        recipe.precision().name().toLowerCase(java.util.Locale.ROOT),
                        bench.kernels().kernels().name(),
                        bench.kernels().reason()));
    }

    private void loop() {
        if (request.resume()) {
            resume();
        } else {
            PretrainedWeights.load(recipe, bench);
        }
        request.progress().started(position(plan.at(state.step)));
        for (RunPlan.Epoch epoch : plan.epochs()) {
            if (epoch.firstStep() + epoch.steps() <= state.step) {
                continue;
            }
            if (epoch.firstStep() == state.step && epoch.opensPhase(plan.epochs())) {
                open(epoch);
            }
            for (long index = state.step - epoch.firstStep(); index < epoch.steps(); index++) {
                step(epoch, index);
                boolean last = index + 1 == epoch.steps();
                if (last) {
                    close(epoch);
                }
                stopIfAsked();
                int every = recipe.checkpoint().everySteps();
                if (last || (every > 0 && state.step % every == 0)) {
                    checkpoint();
                }
            }
        }
    }

    /** Enters a phase: masks begin, or freeze; optimisers of its own start afresh. */
    private void open(RunPlan.Epoch epoch) {
        Compression compression = bench.compression();
        boolean pruning = epoch.phase().phase().equals("prune");
        if (pruning && compression.mode() == Compression.Mode.DENSE) {
            compression.method().begin();
            compression.mode(Compression.Mode.PRUNE);
        } else if (epoch.phase().phase().equals("finetune") && compression.mode() == Compression.Mode.PRUNE) {
            bench.setKept(1);
            compression.freeze();
            compression.mode(Compression.Mode.FROZEN);
        }
        if (compression.mode() == Compression.Mode.FROZEN) {
            compression.freeze();
            passes.choose(epoch.phase().convolutions());
        }
        OptimizerRecipe wanted = recipe.optimizerOf(epoch.phase());
        OptimizerRecipe present = epoch.phaseIndex() == 0
                ? null
                : recipe.optimizerOf(recipe.phases().get(epoch.phaseIndex() - 1));
        if (optimizers == null || !wanted.equals(present)) {
            replaceOptimizers(wanted);
        }
    }

    private void replaceOptimizers(OptimizerRecipe optimizer) {
        if (optimizers != null) {
            optimizers.close();
        }
        Compression compression = bench.compression();
        Map<String, Tensor> logits =
                compression.method() == null ? Map.of() : compression.method().logits();
        optimizers = Optimizers.create(optimizer, compression.masters(), logits.values());
    }

    private void step(RunPlan.Epoch epoch, long index) {
        PruneStep prune = null;
        double logitRate = 0;
        if (bench.compression().mode() == Compression.Mode.PRUNE) {
            double progress = plan.pruneProgress(epoch, index);
            bench.setKept(progress);
            prune = TrainingStep.pruneStep(recipe.prune(), state.step, epoch.pruneStep() + index, progress);
            logitRate = recipe.prune().logitRate().at(progress);
        }
        trainingStep.run(
                epoch.number(), index, state.step, prune, optimizers, rate(epoch, index), logitRate, state.totals);
        state.step++;
        imagesSeen += recipe.batch();
        request.progress().step(position(epoch));
    }

    private double rate(RunPlan.Epoch epoch, long index) {
        double factor =
                LearningRate.factor(epoch.schedule(), epoch.scheduleStep() + index, epoch.scheduleSteps(), perEpoch);
        return recipe.optimizerOf(epoch.phase()).rate() * factor;
    }

    /** Ends an epoch: noise-free masks, validation, a line of metrics, and a look whether this is the best so far. */
    private void close(RunPlan.Epoch epoch) {
        Compression compression = bench.compression();
        double progress = plan.pruneProgress(epoch, epoch.steps());
        if (compression.mode() == Compression.Mode.PRUNE) {
            bench.setKept(progress);
        }
        compression.freeze();
        Validation validation = validate();
        boolean learns = compression.mode() == Compression.Mode.PRUNE
                && !compression.method().logits().isEmpty();
        EpochMetrics line = new EpochMetrics(
                epoch.number() + 1,
                epoch.phase().phase(),
                state.step,
                state.totals.loss(),
                state.totals.accuracy(),
                validation == null ? null : validation.loss(),
                validation == null ? null : validation.accuracy(),
                rate(epoch, epoch.steps() - 1),
                learns ? recipe.prune().logitRate().at(progress) : null,
                learns ? recipe.prune().temperature().at(progress) : null,
                learns ? recipe.prune().noise().at(progress) : null,
                masks.measure());
        metrics.append(line);
        state.totals.clear();
        request.progress().epoch(line);
        // Only the last phase has the masks that the recipe asks for; earlier ones keep more, or sample.
        boolean lastPhase = epoch.phaseIndex() == recipe.phases().size() - 1;
        if (lastPhase && validation != null && validation.accuracy() > state.bestAccuracy) {
            state.bestAccuracy = validation.accuracy();
            capture().write(store.best());
        }
    }

    /** Loss and accuracy on the part held out. */
    private record Validation(double loss, double accuracy) {}

    private Validation validate() {
        if (bench.validation() == null) {
            return null;
        }
        try (TestLogits logits = TestLogits.of(bench.module(), bench.validation(), bench.device())) {
            return new Validation(logits.loss(), logits.accuracy());
        } finally {
            bench.module().train(true);
        }
    }

    private void stopIfAsked() {
        ExitCode reason = request.stop().reason();
        if (reason != null) {
            checkpoint();
            throw new KofnException(
                    reason,
                    String.format(
                            "stopped after step %d of %d; a checkpoint is written, --resume continues",
                            state.step, plan.steps()),
                    null);
        }
    }

    private Checkpoint capture() {
        return state.capture(recipeYaml, metrics.length());
    }

    private void checkpoint() {
        Checkpoint checkpoint = capture();
        byte[][] states = optimizers.save(store.folder());
        checkpoint.tensors().put("optimizer/weights", Tensors.of(states[0], states[0].length));
        checkpoint.tensors().put("optimizer/logits", Tensors.of(states[1], states[1].length));
        store.writeLast(checkpoint, state.step);
    }

    private void resume() {
        try (PointerScope scope = new PointerScope()) {
            Checkpoint checkpoint = store.resume(recipeYaml);
            state.resume(checkpoint);
            metrics.truncate(checkpoint.number("metrics-length"));
            RunPlan.Epoch epoch = plan.at(Math.max(0, state.step - 1));
            replaceOptimizers(recipe.optimizerOf(epoch.phase()));
            optimizers.load(
                    Tensors.bytes(checkpoint.tensor("optimizer/weights")),
                    Tensors.bytes(checkpoint.tensor("optimizer/logits")),
                    store.folder());
            request.progress().message(String.format("resumed after step %d of %d", state.step, plan.steps()));
        }
    }

    /** Takes the best epoch's weights and masks, looks at the test set once, and writes the artefacts. */
    private Summary finish(RunFolder folder) {
        Compression compression = bench.compression();
        Double validation = null;
        if (bench.validation() != null) {
            validation = state.bestAccuracy;
            try (PointerScope scope = new PointerScope()) {
                state.restoreTensors(Checkpoint.read(store.best()));
            }
        }
        bench.setKept(1);
        compression.freeze();
        optimizers.close();
        return new Artefacts(bench, folder, recipeYaml, masks).write(validation, started, state.seconds());
    }

    private ProgressListener.Position position(RunPlan.Epoch epoch) {
        return new ProgressListener.Position(
                state.step,
                plan.steps(),
                epoch.number() + 1,
                plan.epochs().size(),
                epoch.phase().phase(),
                state.totals.loss(),
                state.totals.accuracy(),
                imagesSeen);
    }
}
