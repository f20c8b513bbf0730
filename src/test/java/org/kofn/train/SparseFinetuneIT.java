package org.kofn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.export.Verifier;
import org.kofn.kernels.SparseConvolution;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;

/** Fine-tuning with sparse convolutions is fine-tuning with dense ones, to rounding. */
class SparseFinetuneIT {
    private static final String RECIPE =
            """
            model: digits-cnn
            data: {name: digits, validation: 300, shift: 1}
            threads: 1
            device: cpu
            batch: 64
            prune:
              layers:
                - {match: conv2, granularity: kernel, keep: 1/4}
                - {match: "fc*", keep: 10%}
            phases:
              - {phase: prune, epochs: 1}
              - {phase: finetune, epochs: 2}
            """;

    /** Steps of an epoch. */
    private static final int EPOCH = 55;

    @TempDir
    private Path folder;

    @BeforeEach
    void assumeNative() {
        assumeThat(SparseConvolution.available()).isTrue();
    }

    private static Recipe recipe(String convolutions) {
        return RecipeReader.parse(RECIPE, "test", List.of("phases[1].convolutions=" + convolutions), 1);
    }

    /** Messages of a run, and its loss after every step. */
    private static final class Listener implements ProgressListener {
        private final List<String> messages = new ArrayList<>();
        private final List<Double> losses = new ArrayList<>();
        private final StopRequest stop = new StopRequest();
        private final long stopAfter;

        Listener(long stopAfter) {
            this.stopAfter = stopAfter;
        }

        @Override
        public void message(String line) {
            messages.add(line);
        }

        @Override
        public void step(Position position) {
            losses.add(position.loss());
            if (position.step() == stopAfter) {
                stop.request(ExitCode.INTERRUPTED);
            }
        }
    }

    private Listener train(String convolutions, String out, boolean resume, long stopAfter) {
        Listener listener = new Listener(stopAfter);
        TrainRequest request = new TrainRequest(
                recipe(convolutions), folder.resolve(out), resume, false, "auto", listener, listener.stop);
        if (stopAfter == 0) {
            Trainer.run(request);
        } else {
            assertThatThrownBy(() -> Trainer.run(request)).isInstanceOf(KofnException.class);
        }
        return listener;
    }

    @Test
    void theLossTakesTheSameCourse() {
        Listener dense = train("dense", "dense", false, 0);
        Listener sparse = train("sparse", "sparse", false, 0);
        assertThat(sparse.messages).contains("convolutions: 1 sparse");
        assertThat(sparse.losses).hasSameSizeAs(dense.losses);
        for (int step = 0; step < dense.losses.size(); step++) {
            double tolerance = step < EPOCH ? 0 : 1e-3;
            assertThat(sparse.losses.get(step))
                    .as("step %d", step + 1)
                    .isCloseTo(dense.losses.get(step), Offset.offset(tolerance));
        }
        // Rounding differs, or else both were dense.
        assertThat(sparse.losses).isNotEqualTo(dense.losses);
        assertThat(Verifier.verify(folder.resolve("sparse"), new Device("cpu")).passed())
                .isTrue();
    }

    @Test
    void autoSaysWhatItMeasuredAndTakesTheFaster() {
        Listener listener = train("auto", "auto", false, EPOCH + 5);
        String line = listener.messages.stream()
                .filter(message -> message.startsWith("convolutions"))
                .findFirst()
                .orElseThrow();
        assertThat(line)
                .matches(
                        "convolutions: (dense|sparse); forward and backward take [\\d.]+ ms dense, [\\d.]+ ms with 1 sparse");
        String[] times = line.replaceAll("[^\\d. ]", "").trim().split(" +");
        int order = Double.compare(Double.parseDouble(times[1]), Double.parseDouble(times[0]));
        if (order != 0) { // as printed
            assertThat(line).startsWith(order < 0 ? "convolutions: sparse" : "convolutions: dense");
        }
    }

    /** Timing a pass must leave nothing behind: a phase that ends up dense has the bits of one that was told so. */
    @Test
    void measuringChangesNothing() {
        Listener dense = train("dense", "dense", false, EPOCH + 20);
        Listener measured = train("auto", "auto", false, EPOCH + 20);
        Listener sparse = train("sparse", "sparse", false, EPOCH + 20);
        boolean took = measured.messages.stream().anyMatch(line -> line.startsWith("convolutions: sparse"));
        assertThat(measured.losses).isEqualTo(took ? sparse.losses : dense.losses);
    }

    @Test
    void interruptedAndResumedEqualsUndisturbed() {
        train("sparse", "whole", false, 0);
        train("sparse", "parts", false, EPOCH);
        train("sparse", "parts", true, EPOCH + 17);
        train("sparse", "parts", true, 0);
        for (String file : List.of("model.safetensors", "metrics.jsonl")) {
            assertThat(folder.resolve("parts").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("whole").resolve(file));
        }
    }
}
