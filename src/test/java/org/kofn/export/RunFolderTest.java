package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

class RunFolderTest {
    @TempDir
    Path dir;

    private static final Summary SUMMARY = new Summary(
            "lenet-5",
            "mnist",
            "dpp",
            0.9932,
            null,
            0.021,
            "ab12",
            431080,
            10777,
            2293000,
            183000,
            1724320,
            60000,
            12.5,
            List.of(
                    new LayerSummary("conv1", "dense", 1, 20, 20, 1, 32, null, null),
                    new LayerSummary("conv2", "kernel", 50, 20, 5, 1, 32, 0.9, 0.4)));

    @Test
    void aSummaryHasTheKeysThatScriptsRead() throws IOException {
        Path file = dir.resolve("summary.json");
        SUMMARY.write(file);
        JsonNode json = new ObjectMapper().readTree(file.toFile());
        assertThat(json.fieldNames())
                .toIterable()
                .containsExactly(
                        "model",
                        "data",
                        "method",
                        "test_accuracy",
                        "validation_accuracy",
                        "test_loss",
                        "test_logits_sha256",
                        "parameters_total",
                        "parameters_kept",
                        "macs_dense",
                        "macs_kept",
                        "bytes_dense",
                        "bytes_compact",
                        "seconds",
                        "layers");
        assertThat(json.get("layers").get(1).fieldNames())
                .toIterable()
                .containsExactly("name", "granularity", "groups", "n", "k", "share", "bits", "confidence", "diversity");
        assertThat(json.get("test_accuracy").asDouble()).isEqualTo(0.9932);
        assertThat(json.get("validation_accuracy").isNull()).isTrue();
        assertThat(Summary.read(file)).isEqualTo(SUMMARY);
    }

    @Test
    void keysOfANewerKofnArePassedOverMissingOnesAreNamed() throws IOException {
        Path file = dir.resolve("summary.json");
        SUMMARY.write(file);
        String text = Files.readString(file);
        Files.writeString(file, text.replaceFirst("\\{", "{\"energy_joules\": 3,"));
        assertThat(Summary.read(file)).isEqualTo(SUMMARY);
        Files.writeString(file, text.replace("macs_kept", "macs_kebt"));
        refused(() -> Summary.read(file), file + ": damaged: Missing creator property 'macs_kept'");
        Files.writeString(file, text.substring(0, text.length() / 2));
        refused(() -> Summary.read(file), file + ": damaged: Unexpected end-of-input");
        Files.writeString(file, "null");
        refused(() -> Summary.read(file), file + ": damaged: holds null");
        refused(() -> Summary.read(dir.resolve("none.json")), "none.json: no such file");
    }

    @Test
    void provenanceComesBackAndTellsMachinesApart() {
        Path file = dir.resolve("provenance.json");
        Instant now = Instant.parse("2026-01-02T03:04:05.678Z");
        Provenance here =
                Provenance.of(new Device("cpu"), "fp32", 7, Map.of("test", "cd34", "train", "ab12"), now, now);
        here.write(file);
        Provenance back = Provenance.read(file);
        assertThat(back).isEqualTo(here);
        assertThat(back.started()).isEqualTo("2026-01-02T03:04:05Z");
        assertThat(back.device()).isEqualTo("cpu");
        assertThat(back.threads()).isPositive();
        assertThat(back.difference(here)).isEmpty();
        Provenance other = new Provenance(
                here.version(),
                "other",
                here.presets(),
                here.libtorch(),
                "Java 21",
                here.os(),
                "cuda:0",
                here.hardware(),
                "bf16",
                here.threads(),
                8,
                Map.of(),
                "",
                "");
        assertThat(here.difference(other)).isEqualTo("device cpu against cuda:0, precision fp32 against bf16");
    }

    @Test
    void whatIsNoRunFolderOrLacksAFileIsNamed() throws IOException {
        Path missing = dir.resolve("none");
        refused(() -> RunFolder.open(missing), missing + ": no such run folder; 'kofn train RECIPE --out " + missing);
        Path file = Files.writeString(dir.resolve("file"), "");
        refused(() -> RunFolder.open(file), file + ": a file, not a run folder");
        refused(() -> RunFolder.open(dir), dir + ": no run folder: it holds no recipe.yaml");
        Files.writeString(dir.resolve("recipe.yaml"), "");
        RunFolder folder = RunFolder.open(dir);
        refused(
                () -> folder.require(folder.modelPt()),
                dir + ": no model.pt yet; 'kofn train --resume' finishes the run");
        SUMMARY.write(folder.summary());
        refused(() -> folder.require(folder.modelPt()), dir + ": model.pt is missing; train again with --force");
        assertThat(folder.require(folder.summary())).isEqualTo(dir.resolve("summary.json"));
        assertThat(folder.checkpoints()).isEqualTo(dir.resolve("checkpoints"));
    }

    private static void refused(ThrowingCallable call, String message) {
        assertThatThrownBy(call).isInstanceOfSatisfying(KofnException.class, e -> {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).contains(message).hasLineCount(1);
        });
    }
}
