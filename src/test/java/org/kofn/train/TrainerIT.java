package org.kofn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.export.Report;
import org.kofn.export.RunFolder;
import org.kofn.export.Verifier;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.torch.Tensors;

/** Whole runs on the embedded digits: artefacts, interruptions, and what a user can get wrong. */
class TrainerIT {
    private static final String RECIPE =
            """
            model: digits-cnn
            data: {name: digits, validation: 300, shift: 1}
            threads: 1
            device: cpu
            batch: 64
            prune:
              method: dpp
              layers:
                - {match: conv2, granularity: kernel, keep: {from: 4x, to: 1/4, over: 60%}}
                - {match: "fc*", keep: {from: 4x, to: 10%, over: 60%}}
            phases:
              - {phase: dense, epochs: 0.5, optimizer: {name: sgd, rate: 0.05}, schedule: constant}
              - {phase: prune, epochs: 1.5}
              - {phase: finetune, epochs: 0.5}
            """;

    @TempDir
    private Path folder;

    private static Recipe recipe(String... overrides) {
        return RecipeReader.parse(RECIPE, "test", List.of(overrides), 1);
    }

    private TrainRequest request(
            Recipe recipe, String out, boolean resume, ProgressListener progress, StopRequest stop) {
        return new TrainRequest(recipe, folder.resolve(out), resume, false, "auto", progress, stop);
    }

    private TrainingResult train(Recipe recipe, String out) {
        return Trainer.run(request(recipe, out, false, ProgressListener.NONE, new StopRequest()));
    }

    private TrainingResult resume(Recipe recipe, String out) {
        return Trainer.run(request(recipe, out, true, ProgressListener.NONE, new StopRequest()));
    }

    /** Runs until {@code step} is done, then asks to stop as a signal would. */
    private void trainUntil(Recipe recipe, String out, boolean resume, long step, ExitCode signal) {
        StopRequest stop = new StopRequest();
        ProgressListener listener = new ProgressListener() {
            @Override
            public void step(Position position) {
                if (position.step() == step) {
                    stop.request(signal);
                }
            }
        };
        assertThatThrownBy(() -> Trainer.run(request(recipe, out, resume, listener, stop)))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(signal))
                .hasMessageContaining("stopped after step " + step);
    }

    @ParameterizedTest
    @ValueSource(strings = {"dpp", "magnitude", "random"})
    void everyMethodEndsInArtefactsThatVerify(String method) {
        TrainingResult result = train(recipe("prune.method=" + method), method);
        Report report = Verifier.verify(result.out(), new Device("cpu"));
        assertThat(report.passed()).as(report.toString()).isTrue();
        assertThat(result.summary().layers())
                .extracting(layer -> layer.name() + " " + layer.granularity() + " " + layer.k() + "/" + layer.n())
                .containsExactly("conv1 dense 9/9", "conv2 kernel 4/16", "fc1 weight 51/512", "fc2 weight 6/64");
        assertThat(result.summary().parametersKept())
                .isLessThan(result.summary().parametersTotal() / 7);
    }

    @Test
    void bf16TrainsWithFp32MastersAndVerifies() {
        TrainingResult result = train(recipe("precision=bf16"), "bf16");
        assertThat(Verifier.verify(result.out(), new Device("cpu")).passed()).isTrue();
        assertThat(result.summary().layers())
                .allSatisfy(layer -> assertThat(layer.bits()).isEqualTo(16));
    }

    /** Interrupted in each phase, mid-epoch and at an epoch's last step: the same bits as a run that was left alone. */
    @ParameterizedTest
    @ValueSource(strings = {"dpp", "magnitude"})
    void interruptedAndResumedEqualsUndisturbed(String method) throws IOException {
        Recipe recipe = recipe("prune.method=" + method);
        train(recipe, "whole");
        trainUntil(recipe, "parts", false, 7, ExitCode.INTERRUPTED);
        trainUntil(recipe, "parts", true, 41, ExitCode.TERMINATED);
        trainUntil(recipe, "parts", true, 82, ExitCode.INTERRUPTED);
        trainUntil(recipe, "parts", true, 120, ExitCode.INTERRUPTED);
        resume(recipe, "parts");
        for (String file : List.of("model.safetensors", "model.pt", "metrics.jsonl", "recipe.yaml")) {
            assertThat(folder.resolve("parts").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("whole").resolve(file));
        }
        Checkpoint whole = newest("whole");
        Checkpoint parts = newest("parts");
        assertThat(parts.tensors().keySet()).isEqualTo(whole.tensors().keySet());
        whole.tensors().forEach((name, tensor) -> {
            if (!name.startsWith("optimizer/")) {
                assertThat(Tensors.bytes(parts.tensor(name))).as(name).isEqualTo(Tensors.bytes(tensor));
            }
        });
    }

    private Checkpoint newest(String out) {
        return Checkpoint.read(new CheckpointStore(new RunFolder(folder.resolve(out)).checkpoints(), 2)
                .newest()
                .orElseThrow());
    }

    @Test
    void aFinishedRunResumesToTheSameArtefacts() throws IOException {
        Recipe recipe = recipe();
        train(recipe, "run");
        byte[] before = Files.readAllBytes(folder.resolve("run/model.safetensors"));
        resume(recipe, "run");
        assertThat(folder.resolve("run/model.safetensors")).hasBinaryContent(before);
    }

    @Test
    void keepsTheLastTwoCheckpointsAndTheBest() throws IOException {
        train(recipe("checkpoint.every-steps=10"), "run");
        try (Stream<Path> files = Files.list(folder.resolve("run/checkpoints"))) {
            assertThat(files.map(file -> file.getFileName().toString().replaceAll("\\d+", "N"))
                            .sorted())
                    .containsExactly("best.safetensors", "last-N.safetensors", "last-N.safetensors");
        }
    }

    @Test
    void aDenseRunNeedsNoPruneSection() {
        Recipe dense = RecipeReader.parse(
                "{model: digits-cnn, data: digits, threads: 1, phases: [{phase: dense, epochs: 0.2}]}",
                "test",
                List.of(),
                1);
        TrainingResult result = train(dense, "dense");
        assertThat(result.summary().parametersKept()).isEqualTo(result.summary().parametersTotal());
        assertThat(Verifier.verify(result.out(), new Device("cpu")).passed()).isTrue();
    }

    @Test
    void startsFromARunFolder() {
        Recipe dense = RecipeReader.parse(
                "{model: digits-cnn, data: digits, threads: 1, phases: [{phase: dense, epochs: 2}]}",
                "test",
                List.of(),
                1);
        train(dense, "dense");
        Recipe from = RecipeReader.parse(
                "{model: digits-cnn, data: digits, threads: 1, phases: [{phase: dense, epochs: 0.1, from: "
                        + folder.resolve("dense") + "}]}",
                "test",
                List.of(),
                1);
        double[] first = new double[1];
        Trainer.run(request(
                from,
                "pruned",
                false,
                new ProgressListener() {
                    @Override
                    public void step(Position position) {
                        first[0] = position.step() == 1 ? position.loss() : first[0];
                    }
                },
                new StopRequest()));
        // A fresh network starts near log 10 = 2.3.
        assertThat(first[0]).isBetween(0.01, 1.2);
    }

    @Test
    void weightsOfAnotherNetworkAreRefused() {
        train(recipe(), "digits");
        Recipe other = recipe(
                "model=lenet-300-100",
                "prune.layers=[{match: fc1, keep: 10%}]",
                "phases[0]={phase: dense, from: " + folder.resolve("digits") + "}");
        assertThatThrownBy(() -> train(other, "other"))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FILE))
                .hasMessageContaining("does not fit the model: fc1.weight has shape [64, 512], not [300, 64]");
    }

    @Test
    void aLossThatIsNoNumberStopsTheRunAndNamesStepAndLayer() {
        Recipe wild = recipe("phases[0].optimizer.rate=1e30", "checkpoint.every-steps=1");
        assertThatThrownBy(() -> train(wild, "wild"))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DIVERGED))
                .hasMessageMatching("step \\d+: the loss is (NaN|Infinity); .*(weights of \\w+|overflowed).*");
        assertThat(folder.resolve("wild/summary.json")).doesNotExist();
        assertThat(folder.resolve("wild/model.pt")).doesNotExist();
        assertThat(new CheckpointStore(folder.resolve("wild/checkpoints"), 2).newest())
                .isPresent();
    }

    @Test
    void foldersAndFlagsThatDoNotFit() {
        assertThatThrownBy(() -> resume(recipe(), "nothing"))
                .hasMessageMatching("--resume: there is no run in .*nothing; leave out --resume to start");
        trainUntil(recipe(), "run", false, 3, ExitCode.INTERRUPTED);
        assertThatThrownBy(() -> train(recipe(), "run"))
                .hasMessageMatching(".*run holds a run already; --resume continues it, --force starts again, .*");
        assertThatThrownBy(() -> resume(recipe("batch=32"), "run"))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                .hasMessageContaining("is of another recipe: it has 'batch: 64', now 'batch: 32'");
    }

    @Test
    void aTruncatedCheckpointIsRefusedByName() throws IOException {
        trainUntil(recipe(), "run", false, 3, ExitCode.INTERRUPTED);
        Path file = new CheckpointStore(folder.resolve("run/checkpoints"), 2)
                .newest()
                .orElseThrow();
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length - 100));
        assertThatThrownBy(() -> resume(recipe(), "run"))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FILE))
                .hasMessageContaining(file.getFileName().toString())
                .hasMessageContaining("remove that file to resume from the one before it");
    }
}
