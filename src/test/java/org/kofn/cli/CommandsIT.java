package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands on a short quickstart, as a user types them. */
class CommandsIT {
    @TempDir
    static Path dir;

    private static String run;
    private static Cli trained;

    @BeforeAll
    static void train() {
        run = dir.resolve("run").toString();
        trained = Cli.run(
                "train", "configs/quickstart.yaml", "--out", run, "--epochs-scale", "0.05", "--json", "--threads", "1");
    }

    @Test
    void trainPrintsALineAnEpochAndTheResult() throws IOException {
        assertThat(trained.err()).isEmpty();
        assertThat(trained.code()).isZero();
        List<String> lines = trained.out().lines().toList();
        JsonNode result = Json.MAPPER.readTree(lines.get(lines.size() - 1));
        assertThat(result.get("event").asText()).isEqualTo("result");
        assertThat(result.get("run").asText()).isEqualTo(run);
        assertThat(result.get("test_accuracy").asDouble()).isBetween(0.05, 1.0);
        // The same numbers as in the folder's own file.
        JsonNode summary = Json.MAPPER.readTree(dir.resolve("run/summary.json").toFile());
        assertThat(result.get("test_accuracy")).isEqualTo(summary.get("test_accuracy"));
        List<String> metrics = Files.readAllLines(dir.resolve("run/metrics.jsonl"));
        assertThat(lines).hasSize(metrics.size() + 1);
        assertThat(Json.MAPPER.readTree(lines.get(0)).get("loss"))
                .isEqualTo(Json.MAPPER.readTree(metrics.get(0)).get("loss"));
    }

    @Test
    void evalMeasuresWhatTheTrainerMeasured() throws IOException {
        Cli eval = Cli.run("eval", run, "--json");
        assertThat(eval.code()).isZero();
        JsonNode result = Json.MAPPER.readTree(eval.out());
        JsonNode summary = Json.MAPPER.readTree(dir.resolve("run/summary.json").toFile());
        assertThat(result.get("test_accuracy")).isEqualTo(summary.get("test_accuracy"));
        assertThat(result.get("images").asInt()).isEqualTo(1797);
        assertThat(Cli.run("eval", run + "/model.pt").out())
                .startsWith(run + "/model.pt: test accuracy ")
                .contains("on 1,797 images of digits");
    }

    @Test
    void evalInTheSparseRuntimeNeedsTheCompactFileAlone(@TempDir Path elsewhere) throws IOException {
        Path file = Files.copy(dir.resolve("run/model.safetensors"), elsewhere.resolve("model.safetensors"));
        JsonNode alone = Json.MAPPER.readTree(
                Cli.run("eval", file.toString(), "--threads", "1", "--json").out());
        JsonNode dense = Json.MAPPER.readTree(Cli.run("eval", run, "--json").out());
        assertThat(alone.get("runtime").asText()).isEqualTo("sparse");
        assertThat(dense.get("runtime").asText()).isEqualTo("torchscript");
        assertThat(alone.get("test_accuracy").asDouble())
                .isCloseTo(dense.get("test_accuracy").asDouble(), within(1e-3));
        assertThat(alone.get("test_loss").asDouble())
                .isCloseTo(dense.get("test_loss").asDouble(), within(1e-4));
        Cli layers = Cli.run("eval", run, "--runtime", "sparse", "--layers");
        assertThat(layers.out())
                .startsWith(run + "/model.safetensors: test accuracy ")
                .contains("on 1,797 images of digits, by the sparse runtime", "\n  conv2: ");
    }

    @Test
    void evalRefusesAModelOfTheOtherRuntime() {
        Cli wrong = Cli.run("eval", run + "/model.pt", "--runtime", "sparse");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err())
                .isEqualTo("kofn: --runtime sparse: does not read " + run + "/model.pt; leave the option out, or give"
                        + " the run folder" + System.lineSeparator());
        assertThat(Cli.run("eval", run, "--layers").err())
                .isEqualTo(
                        "kofn: --layers: is about the sparse runtime; add --runtime sparse" + System.lineSeparator());
        Cli device = Cli.run("eval", run, "--runtime", "sparse", "--device", "cuda");
        assertThat(device.code()).isEqualTo(2);
        assertThat(device.err())
                .contains("--device cuda: the sparse runtime computes on the CPU")
                .hasLineCount(1);
    }

    @Test
    void inspectHasARowALayerThatAddsUpToTheWhole() throws IOException {
        Cli table = Cli.run("inspect", run);
        assertThat(table.code()).isZero();
        assertThat(table.out().lines().map(line -> line.split("\\s+")[0]))
                .containsExactly("layer", "conv1", "conv2", "fc1", "fc2", "the");
        assertThat(table.out()).contains("4/16", "51/512", "6/64", "25.00 %");
        JsonNode json = Json.MAPPER.readTree(Cli.run("inspect", run, "--json").out());
        long parameters = 0;
        long macs = 0;
        for (JsonNode layer : json.get("layers")) {
            parameters += layer.get("parameters_kept").asLong();
            macs += layer.get("macs_kept").asLong();
        }
        assertThat(parameters).isEqualTo(json.get("parameters_kept").asLong());
        assertThat(macs).isEqualTo(json.get("macs_kept").asLong());
    }

    @Test
    void verifyProvesTheRunAndRefusesAChangedOne(@TempDir Path copy) throws IOException {
        Cli proof = Cli.run("verify", run);
        assertThat(proof.err()).isEmpty();
        assertThat(proof.code()).isZero();
        assertThat(proof.out()).contains("ok       exactly k of n");
        for (String name : List.of("model.pt", "recipe.yaml", "provenance.json", "summary.json", "model.safetensors")) {
            Files.copy(Path.of(run, name), copy.resolve(name));
        }
        byte[] model = Files.readAllBytes(copy.resolve("model.safetensors"));
        model[model.length - 1] ^= 1;
        Files.write(copy.resolve("model.safetensors"), model);
        Cli refused = Cli.run("verify", copy.toString(), "--json");
        assertThat(refused.code()).isEqualTo(6);
        assertThat(refused.err()).startsWith("kofn: " + copy + ": ").hasLineCount(1);
        assertThat(Json.MAPPER.readTree(refused.out()).get("passed").asBoolean())
                .isFalse();
    }

    @Test
    void aFolderWithARunIsNotOverwritten() {
        Cli again = Cli.run("train", "configs/quickstart.yaml", "--out", run);
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err()).contains("--resume").contains("--force").hasLineCount(1);
    }
}
