package org.kofn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.recipe.ScheduleRecipe;

/** Phases as epochs and steps, and the learning rate over them. */
class RunPlanTest {
    private static final String RECIPE =
            """
            model: digits-cnn
            data: digits
            prune: {layers: [{match: conv2, granularity: kernel, keep: 1/4}]}
            phases:
              - {phase: dense, epochs: 1.5, schedule: constant}
              - {phase: prune, epochs: 2}
              - {phase: prune, epochs: 1}
              - {phase: finetune, epochs: 1}
            """;

    private static RunPlan plan(double scale) {
        Recipe recipe = RecipeReader.parse(RECIPE, "test", java.util.List.of(), scale);
        return RunPlan.of(recipe, 10);
    }

    @Test
    void stepsAddUpAndAFractionIsAShorterEpoch() {
        RunPlan plan = plan(1);
        assertThat(plan.steps()).isEqualTo(55);
        assertThat(plan.epochs()).extracting(RunPlan.Epoch::steps).containsExactly(10L, 5L, 10L, 10L, 10L, 10L);
        assertThat(plan.epochs()).extracting(RunPlan.Epoch::firstStep).containsExactly(0L, 10L, 15L, 25L, 35L, 45L);
        assertThat(plan.at(14).number()).isEqualTo(1);
        assertThat(plan.at(15).number()).isEqualTo(2);
        assertThat(plan.at(55).number()).isEqualTo(5);
    }

    @Test
    void pruneProgressRunsOverAllPrunePhases() {
        RunPlan plan = plan(1);
        assertThat(plan.pruneSteps()).isEqualTo(30);
        assertThat(plan.pruneProgress(plan.epochs().get(1), 3)).isZero();
        assertThat(plan.pruneProgress(plan.epochs().get(2), 0)).isZero();
        assertThat(plan.pruneProgress(plan.epochs().get(4), 5)).isCloseTo(25 / 30.0, within(1e-12));
        assertThat(plan.pruneProgress(plan.epochs().get(5), 4)).isEqualTo(1);
    }

    @Test
    void phasesWithoutAScheduleShareOne() {
        RunPlan plan = plan(1);
        assertThat(plan.epochs().get(0).scheduleSteps()).isEqualTo(15);
        assertThat(plan.epochs().get(2).scheduleSteps()).isEqualTo(40);
        assertThat(plan.epochs().get(5).scheduleStep()).isEqualTo(30);
    }

    @Test
    void aShortTrialStillVisitsEveryPhase() {
        assertThat(plan(0.001).epochs())
                .extracting(epoch -> epoch.phase().phase())
                .containsExactly("dense", "prune", "prune", "finetune");
    }

    private static ScheduleRecipe schedule(String name, double warmup) {
        return new ScheduleRecipe(name, warmup, 0.1, java.util.List.of(0.5, 0.75), 0.1);
    }

    @Test
    void schedulesBeginAndEndWhereTheyShould() {
        assertThat(LearningRate.factor(schedule("constant", 0), 70, 100, 10)).isEqualTo(1);
        assertThat(LearningRate.factor(schedule("cosine", 0), 0, 100, 10)).isEqualTo(1);
        assertThat(LearningRate.factor(schedule("cosine", 0), 50, 100, 10)).isCloseTo(0.55, within(1e-9));
        assertThat(LearningRate.factor(schedule("cosine", 0), 100, 100, 10)).isCloseTo(0.1, within(1e-9));
        assertThat(LearningRate.factor(schedule("step", 0), 49, 100, 10)).isEqualTo(1);
        assertThat(LearningRate.factor(schedule("step", 0), 50, 100, 10)).isCloseTo(0.1, within(1e-12));
        assertThat(LearningRate.factor(schedule("step", 0), 80, 100, 10)).isCloseTo(0.01, within(1e-12));
        assertThat(LearningRate.factor(schedule("one-cycle", 0), 0, 100, 10)).isCloseTo(0.04, within(1e-9));
        assertThat(LearningRate.factor(schedule("one-cycle", 0), 30, 100, 10)).isCloseTo(1, within(1e-9));
        assertThat(LearningRate.factor(schedule("one-cycle", 0), 99, 100, 10)).isLessThan(0.001);
    }

    @Test
    void warmupRisesLinearlyOverItsEpochs() {
        assertThat(LearningRate.factor(schedule("constant", 2), 0, 100, 10)).isCloseTo(0.05, within(1e-12));
        assertThat(LearningRate.factor(schedule("constant", 2), 9, 100, 10)).isCloseTo(0.5, within(1e-12));
        assertThat(LearningRate.factor(schedule("constant", 2), 19, 100, 10)).isEqualTo(1);
    }
}
