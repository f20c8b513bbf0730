package org.kofn.recipe;

import java.util.List;
import java.util.regex.Pattern;

/**
 * A whole run, every key resolved: what {@link RecipeReader} reads, {@link RecipeWriter} writes into the run folder,
 * and everything else is built from.
 *
 * @param model the network
 * @param data the data set and its augmentation
 * @param seed of everything random: initialisation, order, augmentation, masks
 * @param device {@code auto} (CUDA where there is one), {@code cpu}, {@code cuda} or {@code cuda:1}
 * @param precision of the module's tensors
 * @param threads of the CPU; 0 for all cores
 * @param batch images a step
 * @param labelSmoothing the part of the target that is spread over all classes
 * @param optimizer of phases without one of their own
 * @param schedule of phases without one of their own, spanning all of them
 * @param prune what is pruned; null for a dense run
 * @param phases what happens, in order
 * @param checkpoint when the state is saved
 */
public record Recipe(
        ModelRecipe model,
        DataRecipe data,
        @Default("1") long seed,
        @Default("auto") String device,
        @Default("fp32") Precision precision,
        @Default("0") int threads,
        @Default("128") int batch,
        @Default("0") @Fraction double labelSmoothing,
        @Default("adam") OptimizerRecipe optimizer,
        @Default("cosine") ScheduleRecipe schedule,
        @Default(Default.NONE) PruneRecipe prune,
        List<PhaseRecipe> phases,
        @Default("{}") CheckpointRecipe checkpoint) {
    private static final Pattern DEVICE = Pattern.compile("auto|cpu|cuda(:\\d{1,3})?");

    /** Checks ranges, the order of phases, and that pruning and phases fit each other. */
    public Recipe {
        phases = List.copyOf(phases);
        if (!DEVICE.matcher(device).matches()) {
            throw Check.error("device", "'%s' is none; write auto, cpu, cuda or cuda:1", device);
        }
        Check.atLeast("threads", 0, threads);
        Check.atLeast("batch", 1, batch);
        Check.belowOne("label-smoothing", labelSmoothing);
        if (phases.isEmpty()) {
            throw Check.error("phases", "is empty; write at least one, as in {phase: prune, epochs: 20}");
        }
        boolean prunes = false;
        for (int i = 0; i < phases.size(); i++) {
            PhaseRecipe phase = phases.get(i);
            String key = "phases[" + i + "]";
            if (phase.phase().equals("finetune") && !prunes) {
                throw Check.error(key, "finetune needs masks; put a prune phase in front of it, or call it dense");
            }
            if (!phase.phase().equals("dense") && prune == null) {
                throw Check.error(key, "a %s phase needs a 'prune' section that says which layers", phase.phase());
            }
            if (i > 0 && order(phase) < order(phases.get(i - 1))) {
                throw Check.error(
                        key,
                        "%s cannot follow %s; the order is dense, prune, finetune",
                        phase.phase(),
                        phases.get(i - 1).phase());
            }
            if (i > 0 && phase.from() != null) {
                throw Check.error(key + ".from", "only the first phase can load a model");
            }
            prunes |= phase.phase().equals("prune");
        }
        if (prune != null && !prunes) {
            throw Check.error("prune", "no phase learns these masks; add {phase: prune, epochs: 20} to phases");
        }
        if (phases.stream().mapToDouble(PhaseRecipe::epochs).sum() == 0) {
            throw Check.error("phases", "no phase trains; give one of them epochs");
        }
    }

    /**
     * The same run, {@code scale} times as long: epochs of all phases and of warm-ups.
     *
     * @throws org.kofn.base.KofnException (usage) when {@code scale} is not above 0
     */
    public Recipe scaled(double scale) {
        Check.positive("--epochs-scale", scale);
        return new Recipe(
                model,
                data,
                seed,
                device,
                precision,
                threads,
                batch,
                labelSmoothing,
                optimizer,
                schedule.scaled(scale),
                prune,
                phases.stream().map(phase -> phase.scaled(scale)).toList(),
                checkpoint);
    }

    /** The optimiser of a phase: its own, or the recipe's. */
    public OptimizerRecipe optimizerOf(PhaseRecipe phase) {
        return phase.optimizer() == null ? optimizer : phase.optimizer();
    }

    private static int order(PhaseRecipe phase) {
        return PhaseRecipe.PHASES.indexOf(phase.phase());
    }
}
