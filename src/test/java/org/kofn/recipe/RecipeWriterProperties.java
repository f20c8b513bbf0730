package org.kofn.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.kofn.data.DataCatalog;
import org.kofn.nn.Zoo;

class RecipeWriterProperties {

    @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
    void whatIsWrittenReadsBackEqual(@ForAll("recipes") Recipe recipe) {
        String yaml = RecipeWriter.toYaml(recipe);
        assertThat(RecipeReader.parse(yaml, "written")).as(yaml).isEqualTo(recipe);
    }

    @Property(tries = 1000)
    void numbersReadBackAsTheSameDouble(@ForAll double value) {
        assertThat(Double.parseDouble(Numbers.text(value))).isEqualTo(value == 0 ? 0.0 : value);
    }

    @Example
    void everyKeyIsWrittenInTheOrderOfTheRecords() {
        String yaml = RecipeWriter.toYaml(RecipeReader.parse(RecipeReaderTest.SHORT, "r.yaml"));
        assertThat(yaml)
                .isEqualTo(
                        """
                        model:
                          name: lenet-5
                        data:
                          name: mnist
                          dir: null
                          validation: 10%
                          shift: 0
                          crop: 0
                          flip: false
                        seed: 1
                        device: auto
                        precision: fp32
                        threads: 0
                        batch: 128
                        label-smoothing: 0
                        optimizer:
                          name: adam
                          rate: 0.001
                          weight-decay: 0
                          momentum: 0.9
                          nesterov: true
                          beta1: 0.9
                          beta2: 0.999
                        schedule:
                          name: cosine
                          warmup: 0
                          floor: 0.01
                          milestones:
                          - 0.5
                          - 0.75
                          gamma: 0.1
                        prune:
                          method: dpp
                          temperature:
                            from: 5
                            to: 0.5
                            shape: linear
                          noise:
                            from: 0.1
                            to: 0.001
                            shape: geometric
                          entropy:
                            from: 0
                            to: 0
                            shape: linear
                          init: normal
                          init-std: null
                          logit-rate:
                            from: 0.05
                            to: 0.05
                            shape: linear
                          dense-gradient: true
                          every: 16
                          layers:
                          - match: fc1
                            granularity: weight
                            keep:
                              from: null
                              to: 8/800
                              over: 0.6
                            share: 1
                        phases:
                        - phase: prune
                          epochs: 12
                          from: null
                          optimizer: null
                          schedule: null
                          convolutions: dense
                        checkpoint:
                          every-steps: 0
                          keep: 2
                        """);
    }

    @Provide
    Arbitrary<Recipe> recipes() {
        Arbitrary<List<Object>> head = list(
                Arbitraries.of(Zoo.names()).map(ModelRecipe::new),
                data(),
                Arbitraries.longs().between(-999_999_999_999_999_999L, 999_999_999_999_999_999L),
                Arbitraries.of("auto", "cpu", "cuda", "cuda:1"),
                Arbitraries.of(Precision.class),
                Arbitraries.integers().between(0, 128),
                Arbitraries.integers().greaterOrEqual(1),
                Arbitraries.doubles().between(0, 0.99).ofScale(9));
        return Combinators.combine(head, optimizer(), schedule(), prune().injectNull(0.3), phase(), checkpoint())
                .as((h, optimizer, schedule, prune, phase, checkpoint) -> new Recipe(
                        (ModelRecipe) h.get(0),
                        (DataRecipe) h.get(1),
                        (long) h.get(2),
                        (String) h.get(3),
                        (Precision) h.get(4),
                        (int) h.get(5),
                        (int) h.get(6),
                        (double) h.get(7),
                        optimizer,
                        schedule,
                        prune,
                        prune == null ? List.of(phase) : List.of(phase, as(phase, "prune"), as(phase, "finetune")),
                        checkpoint));
    }

    private static PhaseRecipe as(PhaseRecipe phase, String name) {
        Convolutions convolutions = name.equals("finetune") ? Convolutions.AUTO : Convolutions.DENSE;
        return new PhaseRecipe(name, phase.epochs(), null, phase.optimizer(), phase.schedule(), convolutions);
    }

    private static Arbitrary<DataRecipe> data() {
        return Combinators.combine(
                        Arbitraries.of(DataCatalog.names()),
                        text(),
                        Arbitraries.of("0", "5000", "10%", "12.5 %"),
                        Arbitraries.integers().greaterOrEqual(0),
                        Arbitraries.integers().greaterOrEqual(0),
                        Arbitraries.of(true, false))
                .as((name, dir, validation, shift, crop, flip) -> new DataRecipe(
                        name,
                        dir.isEmpty() && !name.equals(DataCatalog.FOLDER) ? null : dir,
                        validation,
                        shift,
                        crop,
                        flip));
    }

    /** Text that YAML could take for something else. */
    private static Arbitrary<String> text() {
        return Arbitraries.oneOf(
                Arbitraries.of(
                        "null", "~", "true", "1e-3", "012", "*a", "&a", "- a", "a: b", "# a", "a #b", "'", "\"", " a ",
                        "?", "a\nb", "a\n"),
                Arbitraries.strings().withCharRange(' ', '~').ofMaxLength(12),
                Arbitraries.strings()
                        .withCharRange('\u00a1', '\uffee')
                        .excludeChars(surrogates())
                        .ofMaxLength(5));
    }

    private static char[] surrogates() {
        StringBuilder out = new StringBuilder();
        IntStream.rangeClosed(Character.MIN_SURROGATE, Character.MAX_SURROGATE).forEach(c -> out.append((char) c));
        return out.toString().toCharArray();
    }

    private static Arbitrary<OptimizerRecipe> optimizer() {
        Arbitrary<Double> part = Arbitraries.doubles().between(0, 0.999999).ofScale(12);
        return Combinators.combine(
                        Arbitraries.of(OptimizerRecipe.NAMES),
                        Arbitraries.doubles().between(1e-9, 1e9).ofScale(12),
                        Arbitraries.doubles().between(0, 1e9).ofScale(15),
                        part,
                        Arbitraries.of(true, false),
                        part,
                        part)
                .as(OptimizerRecipe::new);
    }

    private static Arbitrary<ScheduleRecipe> schedule() {
        Arbitrary<Double> part = Arbitraries.doubles().between(0, 1).ofScale(12);
        return Combinators.combine(
                        Arbitraries.of(ScheduleRecipe.NAMES),
                        Arbitraries.doubles().between(0, 1000).ofScale(9),
                        part,
                        Arbitraries.doubles()
                                .between(1e-6, 0.999999)
                                .ofScale(9)
                                .list()
                                .uniqueElements()
                                .ofMaxSize(4),
                        part)
                .as((name, warmup, floor, milestones, gamma) -> new ScheduleRecipe(
                        name, warmup, floor, milestones.stream().sorted().toList(), gamma));
    }

    private static Arbitrary<Anneal> anneal() {
        Arbitrary<Double> value = Arbitraries.doubles().between(1e-9, 100).ofScale(9);
        return Combinators.combine(value, value, Arbitraries.of(Anneal.SHAPES)).as(Anneal::new);
    }

    private static Arbitrary<PruneRecipe> prune() {
        Arbitrary<KeepRecipe> keep = Combinators.combine(
                        Arbitraries.of("8x", "50%", "64/784", "2.5x").injectNull(0.3),
                        Arbitraries.of("12/784", "5%", "0.5 %", "1/4"),
                        Arbitraries.doubles().between(0.001, 1).ofScale(6))
                .as(KeepRecipe::new);
        Arbitrary<PruneLayerRecipe> rule = Combinators.combine(
                        Arbitraries.of("fc1", "layer*.conv?", "*", "/^fc[12]$/", "type:linear", "a: b #c"),
                        Arbitraries.of("weight", "kernel", "filter").injectNull(0.3),
                        keep,
                        Arbitraries.integers().greaterOrEqual(1))
                .as(PruneLayerRecipe::new);
        Arbitrary<PruneLayerRecipe> structured = Arbitraries.of("2:4", "10:64", "1:60")
                .map(goal -> new PruneLayerRecipe("fc2", null, new KeepRecipe(null, goal, 0.6), 1));
        return Combinators.combine(
                        list(anneal(), anneal(), anneal()),
                        Arbitraries.of(PruneRecipe.METHODS),
                        Arbitraries.of(PruneRecipe.INITS),
                        Arbitraries.doubles().between(1e-6, 10).ofScale(8).injectNull(0.3),
                        anneal(),
                        Arbitraries.of(true, false),
                        Arbitraries.integers().greaterOrEqual(1),
                        Arbitraries.oneOf(rule, structured).list().ofMinSize(1).ofMaxSize(4))
                .as((courses, method, init, std, rate, dense, every, layers) -> new PruneRecipe(
                        method,
                        (Anneal) courses.get(0),
                        (Anneal) courses.get(1),
                        (Anneal) courses.get(2),
                        init,
                        std,
                        rate,
                        dense,
                        every,
                        layers));
    }

    private static Arbitrary<PhaseRecipe> phase() {
        return Combinators.combine(
                        Arbitraries.doubles().between(1e-3, 1000).ofScale(9),
                        text().injectNull(0.5),
                        optimizer().injectNull(0.5),
                        schedule().injectNull(0.5))
                .as((epochs, file, optimizer, schedule) ->
                        new PhaseRecipe("dense", epochs, file, optimizer, schedule, Convolutions.DENSE));
    }

    private static Arbitrary<CheckpointRecipe> checkpoint() {
        return Combinators.combine(
                        Arbitraries.integers().greaterOrEqual(0),
                        Arbitraries.integers().greaterOrEqual(1))
                .as(CheckpointRecipe::new);
    }

    private static Arbitrary<List<Object>> list(Arbitrary<?>... parts) {
        List<Arbitrary<Object>> widened = new ArrayList<>();
        for (Arbitrary<?> part : parts) {
            widened.add(part.map(value -> value));
        }
        return Combinators.combine(widened).as(values -> values);
    }
}
