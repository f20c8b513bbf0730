package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.kofn.train.EpochMetrics;
import org.kofn.train.ProgressListener.Position;

class ProgressTest {
    private static final EpochMetrics EPOCH = new EpochMetrics(
            2,
            "prune",
            200,
            0.5,
            0.875,
            0.6,
            0.8125,
            1e-3,
            0.05,
            4.0,
            0.1,
            List.of(new EpochMetrics.LayerMetrics("conv2", 4, 16, 0.25, 0.5, 0.25, 0.125)));

    @Test
    void offATerminalThereIsALineAnEpochWithPaceAndTimeLeft() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        AtomicLong clock = new AtomicLong();
        ConsoleProgress progress =
                new ConsoleProgress(new PrintStream(bytes, true, StandardCharsets.UTF_8), false, clock::get);
        progress.message("digits-cnn on digits");
        // Resumed at step 100: the pace counts what this process did.
        progress.started(new Position(100, 1000, 2, 10, "prune", 0, 0, 0));
        clock.set(10_000_000_000L);
        progress.step(new Position(200, 1000, 2, 10, "prune", 0.5, 0.875, 6400));
        progress.epoch(EPOCH);
        progress.ended();
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
                .containsExactly(
                        "digits-cnn on digits",
                        "epoch 2/10  prune  loss 0.5000  accuracy 87.50 %  validation 81.25 %  640 images/s"
                                + "  left 0:01:20");
    }

    @Test
    void jsonHasTheKeysOfTheMetricsFile() throws Exception {
        StringWriter out = new StringWriter();
        new JsonProgress(new PrintWriter(out, true)).epoch(EPOCH);
        JsonNode line = Json.MAPPER.readTree(out.toString());
        assertThat(out.toString()).hasLineCount(1);
        assertThat(line.get("event").asText()).isEqualTo("epoch");
        assertThat(line.get("validation_accuracy").asDouble()).isEqualTo(0.8125);
        assertThat(line.get("layers").get(0).get("flip_rate").asDouble()).isEqualTo(0.125);
    }
}
