package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import javax.imageio.ImageIO;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.export.ScriptedModel;
import org.kofn.export.TestLogits;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;

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
    void evalInBf16IsNearlyAsAccurate() throws IOException {
        String[] eval = {"eval", run, "--runtime", "sparse", "--json", "--precision"};
        JsonNode full = Json.MAPPER.readTree(Cli.run(with(eval, "fp32")).out());
        JsonNode half = Json.MAPPER.readTree(Cli.run(with(eval, "bf16")).out());
        assertThat(full.get("precision").asText()).isEqualTo("fp32");
        assertThat(half.get("precision").asText()).isEqualTo("bf16");
        assertThat(half.get("test_loss")).isNotEqualTo(full.get("test_loss"));
        assertThat(half.get("test_accuracy").asDouble())
                .isCloseTo(full.get("test_accuracy").asDouble(), within(0.01));
        assertThat(half.get("test_loss").asDouble())
                .isCloseTo(full.get("test_loss").asDouble(), within(0.02));
        assertThat(Cli.run("eval", run, "--runtime", "sparse", "--precision", "bf16")
                        .out())
                .contains(", by the sparse runtime in bf16");
        Cli dense = Cli.run("eval", run, "--precision", "bf16");
        assertThat(dense.code()).isEqualTo(2);
        assertThat(dense.err())
                .isEqualTo("kofn: --precision bf16: is about the sparse runtime; add --runtime sparse"
                        + System.lineSeparator());
    }

    private static String[] with(String[] arguments, String last) {
        String[] all = Arrays.copyOf(arguments, arguments.length + 1);
        all[arguments.length] = last;
        return all;
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
        assertThat(Cli.run("eval", run, "--runtime", "sparse", "--device", "cpu", "--precision", "tf32")
                        .err())
                .isEqualTo(
                        "kofn: --precision tf32: is for NVIDIA GPUs; a CPU has fp32 and bf16" + System.lineSeparator());
    }

    @Test
    void withoutAGpuThatIsOneLine() {
        assumeThat(Devices.cudaAvailable()).isFalse();
        for (String command : new String[] {"eval", "predict"}) {
            Cli cuda = Cli.run(
                    command,
                    run,
                    command.equals("eval") ? "--layers" : "none.png",
                    "--runtime",
                    "sparse",
                    "--device",
                    "cuda",
                    "--precision",
                    "tf32");
            assertThat(cuda.code()).isEqualTo(4);
            assertThat(cuda.err())
                    .isEqualTo("kofn: device: cuda: no usable CUDA device here; `kofn doctor` says what is missing,"
                            + " `--device cpu` runs without" + System.lineSeparator());
        }
    }

    /** Digits of the test set as PNG files: the same pixels, so the same predictions as from the set itself. */
    private static List<Path> digits(Path folder, int count) throws IOException {
        List<Path> files = new ArrayList<>();
        try (Dataset test = DataCatalog.load("digits", null, Part.TEST)) {
            byte[] pixels = Tensors.bytes(test.images());
            for (int i = 0; i < count; i++) {
                BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_GRAY);
                for (int p = 0; p < 64; p++) {
                    image.getRaster().setSample(p % 8, p / 8, 0, pixels[64 * i + p] & 0xff);
                }
                files.add(folder.resolve(String.format("%03d.png", i)));
                ImageIO.write(image, "png", files.get(i).toFile());
            }
        }
        return files;
    }

    @Test
    void predictSaysOfPicturesWhatTheModelSaysOfTheSet(@TempDir Path pictures) throws IOException {
        List<Path> files = digits(pictures, 40);
        List<JsonNode> sparse = new ArrayList<>();
        Cli json = Cli.run("predict", run, pictures.toString(), "--top", "10", "--batch", "7", "--json");
        assertThat(json.code()).isZero();
        for (String line : json.out().lines().toList()) {
            sparse.add(Json.MAPPER.readTree(line));
        }
        assertThat(sparse)
                .extracting(node -> node.get("image").asText())
                .isEqualTo(files.stream().map(Path::toString).toList());
        try (PointerScope scope = new PointerScope();
                ScriptedModel model = ScriptedModel.open(dir.resolve("run/model.pt"), new Device("cpu"));
                Dataset test = DataCatalog.load("digits", null, Part.TEST);
                TestLogits logits = TestLogits.of(model, test)) {
            float[] expected = Tensors.floats(logits.logits().softmax(1));
            for (int i = 0; i < files.size(); i++) {
                assertThat(sparse.get(i).get("classes")).hasSize(10);
                double before = 1;
                for (JsonNode score : sparse.get(i).get("classes")) {
                    int label = score.get("label").asInt();
                    double probability = score.get("probability").asDouble();
                    assertThat(score.get("name").asText()).isEqualTo("" + label);
                    assertThat(probability).isCloseTo(expected[10 * i + label], within(1e-5));
                    assertThat(probability).isLessThanOrEqualTo(before);
                    before = probability;
                }
            }
        }
        Cli text = Cli.run("predict", run, files.get(0).toString(), "--runtime", "torchscript");
        assertThat(text.out())
                .matches(
                        "\\Q" + files.get(0) + "\\E: \\d \\([\\d.]+ %\\), \\d \\([\\d.]+ %\\), \\d \\([\\d.]+ %\\)\\R");
    }

    @Test
    void picturesThatCannotBeTakenDoNotStopTheOthers(@TempDir Path pictures) throws IOException {
        Path good = digits(pictures, 1).get(0);
        Path text = Files.writeString(pictures.resolve("text.png"), "no picture");
        Path colour = pictures.resolve("colour.png");
        ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "png", colour.toFile());
        Path gone = pictures.resolve("gone.png");
        Cli mixed = Cli.run(
                "predict",
                run + "/model.safetensors",
                text.toString(),
                good.toString(),
                gone.toString(),
                colour.toString());
        assertThat(mixed.code()).isEqualTo(3);
        assertThat(mixed.out()).startsWith(good + ": ").hasLineCount(1);
        assertThat(mixed.err().lines())
                .containsExactly(
                        "kofn: " + text + ": not a PNG or JPEG picture; repair or remove it",
                        "kofn: " + gone + ": no such file",
                        "kofn: " + colour + ": is in colour, the network takes grey pictures; convert it");
        Cli bare = Cli.run("predict", run + "/model.pt", good.toString());
        assertThat(bare.code()).isEqualTo(2);
        assertThat(bare.err())
                .isEqualTo("kofn: " + run + "/model.pt: does not say which images it takes; give the run folder"
                        + System.lineSeparator());
    }

    @Test
    void exportWritesAFileOnce() throws IOException {
        Path file = dir.resolve("run/model.onnx");
        Cli export = Cli.run("export", run);
        assertThat(export.err()).isEmpty();
        assertThat(export.code()).isZero();
        assertThat(export.out()).matches(file + ": digits-cnn, \\d+ kB; input \\[batch, 1, 8, 8\\]\\R");
        byte[] written = Files.readAllBytes(file);

        Cli again = Cli.run("export", run, "--format", "onnx");
        assertThat(again.code()).isEqualTo(3);
        assertThat(again.err())
                .isEqualTo("kofn: " + file + ": is there already; --force replaces it, --out writes elsewhere"
                        + System.lineSeparator());
        JsonNode forced = Json.MAPPER.readTree(Cli.run("export", run + "/model.safetensors", "--force", "--json")
                .out());
        assertThat(forced.get("file").asText()).isEqualTo(file.toString());
        assertThat(forced.get("bytes").asLong()).isEqualTo(written.length);
        assertThat(file).hasBinaryContent(written);
        assertThat(Cli.run("export", run, "--out", dir.toString()).err())
                .isEqualTo("kofn: --out: " + dir + " is a folder; name a file in it" + System.lineSeparator());
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
        assertThat(proof.out())
                .contains("ok       exactly k of n", "ok       the sparse runtime on test images: largest error ")
                .containsPattern("one image on 1 thread: [\\d.]+ ms in the sparse runtime, [\\d.]+ ms in TorchScript")
                .containsPattern("size: [\\d,]+ bytes compact, [\\d,]+ dense");
        JsonNode sparse =
                Json.MAPPER.readTree(Cli.run("verify", run, "--json").out()).get("sparse");
        assertThat(sparse.get("test").get("largest_error").asDouble())
                .isLessThanOrEqualTo(sparse.get("test").get("bound").asDouble());
        assertThat(sparse.get("layers")).isNotEmpty();
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

    /** JavaCPP keeps unpacked libraries, and takes them for those of another build if size and time are the same. */
    @Test
    void librariesInTheJarHaveTheTimeOfTheirBuild() throws IOException {
        try (JarFile jar = new JarFile("target/kofn.jar")) {
            List<JarEntry> libraries = jar.stream()
                    .filter(entry -> entry.getName().endsWith(".so"))
                    .toList();
            for (JarEntry library : libraries) {
                Path built = Path.of("target/classes", library.getName());
                assertThat(library.getLastModifiedTime().toMillis())
                        .as(library.getName())
                        .isCloseTo(Files.getLastModifiedTime(built).toMillis(), within(2000L));
            }
        }
    }
}
