package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.onnxruntime.OrtEnvironment;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.bench.BenchLayer;
import org.kofn.bench.Effort;
import org.kofn.bench.Tuner;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.Precision;
import org.kofn.runtime.DispatchTable;
import org.kofn.runtime.LayerCase;

class BenchTest {
    private static final Device CPU = new Device("cpu");

    @Test
    void sampleIsATableWithARowACase() {
        Cli bench = Cli.run(
                "bench",
                "sample",
                "--networks",
                "digits-cnn",
                "--shapes",
                "8x16x9",
                "--repeats",
                "2",
                "--kernels",
                "reference");
        assertThat(bench.code()).isZero();
        assertThat(bench.err().lines())
                .containsExactly(
                        "kofn: ours is no native kernel but the reference: LibTorch operations, asked for by --kernels",
                        "measuring digits-cnn/kernel",
                        "measuring digits-cnn/weight",
                        "measuring 8x16x9");
        List<String> lines = bench.out().lines().toList();
        assertThat(lines).hasSize(5);
        assertThat(lines.get(0))
                .matches("case +candidates +baseline ms +ours ms +ratio +forward +ours +ratio +backward +ours +ratio"
                        + " +M candidates/s +GB/s +of a copy +n");
        String numbers = "( +[\\d,.]+)";
        assertThat(lines.get(1)).matches("digits-cnn/kernel +33,936" + numbers + "{11} +[\\d,.]+ % +2");
        assertThat(lines.get(2)).matches("digits-cnn/weight +38,160" + numbers + "{11} +[\\d,.]+ % +2");
        assertThat(lines.get(3)).matches("8x16x9 +128" + numbers + "{11} +[\\d,.]+ % +2");
        assertThat(lines.get(4)).startsWith("ours: reference (").contains(" on cpu (", "a copy moves ");
    }

    @Test
    void sampleJsonIsALineACase() throws Exception {
        Cli bench = Cli.run(
                "bench", "sample", "--shapes", "8x16x9,4x8x3x3/2:4", "--repeats", "2", "--threads", "1", "--json");
        assertThat(bench.code()).isZero();
        List<String> lines = bench.out().lines().toList();
        assertThat(lines).hasSize(2);
        JsonNode line = Json.MAPPER.readTree(lines.get(0));
        assertThat(line.get("case").asText()).isEqualTo("8x16x9");
        assertThat(line.get("n").asInt()).isEqualTo(2);
        assertThat(line.get("threads").asInt()).isEqualTo(1);
        assertThat(line.get("ratio").asDouble())
                .isEqualTo(
                        line.get("baseline_ms").asDouble() / line.get("ours_ms").asDouble());
        assertThat(line.fieldNames())
                .toIterable()
                .contains(
                        "baseline_forward_ms",
                        "ours_forward_ms",
                        "baseline_backward_ms",
                        "ours_backward_ms",
                        "ours_p20_ms",
                        "ours_p80_ms",
                        "candidates_per_s",
                        "bytes_per_s",
                        "bandwidth_share",
                        "copy_bytes_per_s",
                        "kernels",
                        "device",
                        "machine",
                        "commit");
        assertThat(Json.MAPPER.readTree(lines.get(1)).get("case").asText()).isEqualTo("4x8x3x3/2:4");
    }

    @Test
    void stepHasATableAndJson() throws Exception {
        String[] args = {"bench", "step", "--networks", "digits-cnn", "--batch", "8", "--repeats", "2"};
        Cli table = Cli.run(args);
        assertThat(table.code()).isZero();
        assertThat(table.err()).contains("measuring digits-cnn");
        List<String> lines = table.out().lines().toList();
        assertThat(lines).hasSize(3);
        assertThat(lines.get(0))
                .matches("network +batch +pruned layers +candidates +dense ms +pruned ms +overhead +paired"
                        + " +in kernels +n");
        assertThat(lines.get(1))
                .matches("digits-cnn +8 +1 +512 +[\\d.]+ +[\\d.]+ +-?[\\d.]+ % +-?[\\d.]+ % +[\\d.]+ ms +2");
        assertThat(lines.get(2)).startsWith("kernels: ");

        Cli json =
                Cli.run(Stream.concat(Arrays.stream(args), Stream.of("--json")).toArray(String[]::new));
        JsonNode line = Json.MAPPER.readTree(json.out());
        assertThat(line.get("case").asText()).isEqualTo("digits-cnn");
        assertThat(line.get("batch").asInt()).isEqualTo(8);
        assertThat(line.get("n").asInt()).isEqualTo(2);
        assertThat(line.get("overhead_percent").asDouble())
                .isEqualTo(100
                        * (line.get("ours_ms").asDouble()
                                        / line.get("baseline_ms").asDouble()
                                - 1));
        assertThat(line.fieldNames())
                .toIterable()
                .contains("ratio", "paired_overhead_percent", "kernels_ms", "pruned_layers", "machine", "threads");
    }

    /** ONNX Runtime's classes are on the tests' class path, but are to be found in the jar. */
    @Test
    void modelComparesRuntimesThatGiveTheSameScores() throws Exception {
        Path jar = Path.of(OrtEnvironment.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        Cli bench = Cli.run(
                "bench",
                "model",
                "--network",
                "digits-cnn",
                "--density",
                "25%",
                "--batches",
                "1,3",
                "--repeats",
                "3",
                "--threads",
                "1",
                "--onnxruntime",
                jar.toString(),
                "--json");
        assertThat(bench.code()).as(bench.err()).isZero();
        assertThat(bench.err()).contains("measuring batches of 1", "measuring batches of 3");
        Map<String, JsonNode> lines = new LinkedHashMap<>();
        for (String line : bench.out().lines().toList()) {
            JsonNode node = Json.MAPPER.readTree(line);
            lines.put(node.get("batch").asInt() + " " + node.get("engine").asText(), node);
        }
        assertThat(lines.keySet())
                .contains(
                        "1 LibTorch, frozen",
                        "1 ONNX Runtime",
                        "1 kofn sparse",
                        "3 kofn sparse",
                        "3 kofn sparse, bf16");
        lines.forEach((name, line) -> {
            assertThat(line.get("n").asInt()).as(name).isEqualTo(3);
            assertThat(line.get("images_per_s").asDouble())
                    .as(name)
                    .isEqualTo(
                            1e3 * line.get("batch").asInt() / line.get("p50_ms").asDouble());
            assertThat(line.get("cold_ms").asDouble()).as(name).isPositive();
            if (!name.contains("LibTorch")) { // whose oneDNN may be wrong here
                assertThat(line.get("max_difference").asDouble()
                                / line.get("max_score").asDouble())
                        .as(name)
                        .isBetween(name.contains("bf16") ? 1e-5 : 0, name.contains("bf16") ? 0x1p-5 : 1e-5);
            }
            assertThat(line.get("peak_load_bytes").asLong()).as(name).isPositive();
            assertThat(line.get("file_bytes").asLong()).as(name).isPositive();
        });
        assertThat(lines.values().stream()
                        .filter(line -> line.get("baseline").asBoolean())
                        .map(line -> line.get("ratio").asDouble()))
                .containsExactly(1.0, 1.0);
        assertThat(lines.get("1 kofn sparse").get("file_bytes").asLong())
                .isLessThan(lines.get("1 ONNX Runtime").get("file_bytes").asLong());
    }

    @Test
    void modelHasATable() {
        Cli bench = Cli.run("bench", "model", "--network", "digits-cnn", "--batches", "2", "--repeats", "2");
        assertThat(bench.code()).as(bench.err()).isZero();
        List<String> lines = bench.out().lines().toList();
        assertThat(lines.get(0))
                .matches("case +runtime +p50 ms +p99 ms +cold ms +images/s +ratio +peak MB loading +running +file kB"
                        + " +difference +n");
        assertThat(lines.subList(1, lines.size() - 1))
                .allMatch(line -> line.matches("digits-cnn/batch-2 +(LibTorch|kofn)[a-z, ]+(bf16)?( +[\\d,.]+){8}"
                        + " +\\d\\.\\de[-+]\\d+ +2"));
        assertThat(lines.get(lines.size() - 1)).startsWith("on cpu (");
    }

    @Test
    void convIsATableWithARowALayerAndMeans() {
        assumeThat(NativeLibrary.sparse().loads()).isTrue();
        Cli bench = Cli.run(
                "bench",
                "conv",
                "--networks",
                "resnet-20",
                "--layers",
                "layer2.0",
                "--batch",
                "1,2",
                "--repeats",
                "2",
                "--threads",
                "1");
        assertThat(bench.code()).isZero();
        assertThat(bench.err()).contains("measuring resnet-20/layer2.0.conv1, batch 2");
        List<String> lines = bench.out()
                .lines()
                .filter(line -> !line.startsWith("LibTorch's"))
                .toList();
        assertThat(lines).hasSize(2 * 6);
        assertThat(lines.get(0))
                .isEqualTo("batch 1, 1 threads, fp32, warm caches: how many times faster than dense, by density");
        assertThat(lines.get(1))
                .matches("layer +times +shape +dense ms +dense GFLOP/s +layout +1 +1/2 +1/4 +1/8 +1/16 +1/32 +n");
        assertThat(lines.get(2))
                .matches(
                        "resnet-20/layer2.0.conv1 +1 +16>32 3x3/2 32x32 +[\\d.]+ +[\\d.]+ +[a-z -]+( +[\\d.]+){5} +- +2");
        assertThat(lines.get(3)).startsWith("resnet-20/layer2.0.conv2 ");
        assertThat(lines.get(4)).startsWith("resnet-20/layer2.0.downsample.0 ");
        assertThat(lines.get(5))
                .as("only one has all densities")
                .startsWith("geometric mean                       1  3x3 ");
        assertThat(lines.get(6)).startsWith("batch 2, 1 threads, ");
    }

    @Test
    void linearAndMeansAndJson() throws Exception {
        assumeThat(NativeLibrary.sparse().loads()).isTrue();
        String[] args = {"bench", "linear", "--shapes", "64x32", "--batch", "16", "--repeats", "2", "--share", "4"};
        List<String> lines = Cli.run(args).out().lines().toList();
        assertThat(lines.get(2)).startsWith("linear/64x32 ").contains("64>32 linear share 4");
        assertThat(lines.get(3)).matches("geometric mean +1 +linear +- +- +-( +[\\d.]+){6} +-");

        Cli bf16 = Cli.run(Stream.concat(Arrays.stream(args), Stream.of("--precision", "bf16"))
                .toArray(String[]::new));
        assertThat(bf16.out()).contains(" threads, bf16, warm caches, share 4: how");

        Cli json = Cli.run(Stream.concat(Arrays.stream(args), Stream.of("--json", "--cold"))
                .toArray(String[]::new));
        JsonNode line = Json.MAPPER.readTree(json.out());
        assertThat(line.get("case").asText()).isEqualTo("linear/64x32");
        assertThat(line.get("precision").asText()).isEqualTo("fp32");
        assertThat(line.get("cold").asBoolean()).isTrue();
        assertThat(line.get("shape").get("share").asInt()).isEqualTo(4);
        assertThat(line.get("sparse")).hasSize(6);
        assertThat(line.get("sparse").get(5).get("kept").asInt()).isEqualTo(2);
        assertThat(line.get("sparse").get(5).get("kernel").asText()).contains("-bit lists, fp32, ");
        assertThat(line.get("sparse").get(5).fieldNames())
                .toIterable()
                .containsExactly("density_one_in", "kept", "ms", "p20_ms", "p80_ms", "ratio", "gflop_per_s", "kernel");
        assertThat(line.fieldNames())
                .toIterable()
                .contains("dense_ms", "dense_layout", "dense_gflop_per_s", "memory_kept", "n", "machine", "commit");
    }

    /** What was measured before an interruption is kept, and a damaged table is replaced, both said. */
    @Test
    void tuningKeepsWhatItMeasures(@TempDir Path home) throws Exception {
        assumeThat(NativeLibrary.sparse().loads()).isTrue();
        List<BenchLayer> layers = Tuner.layers(List.of("digits-cnn"), List.of());
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = new Tuning(home, CPU, Precision.FP32, new Effort(2, 1), 1)
                .run(new PrintWriter(out, true), new PrintWriter(err, true), layers, List.of(1, 16));
        assertThat(code).isZero();
        assertThat(err.toString()).contains("8/8 " + layers.get(3).shape() + ", batch 16: break-even density ");
        assertThat(out.toString().lines().toList()).hasSize(1 + 8 + 1);
        DispatchTable table = DispatchTable.open(home, CPU);
        assertThat(table.size()).isEqualTo(8);
        assertThat(out.toString()).endsWith(table.describe() + System.lineSeparator());
        assertThat(table.of(new LayerCase(layers.get(1).shape(), 16, 1)).source())
                .isEqualTo("measured");

        Path file;
        try (Stream<Path> files = Files.list(home.resolve("dispatch"))) {
            file = files.findFirst().orElseThrow();
        }
        Files.writeString(file, "{");
        StringWriter again = new StringWriter();
        new Tuning(home, CPU, Precision.FP32, new Effort(2, 1), 1)
                .run(new PrintWriter(out, true), new PrintWriter(again, true), layers.subList(0, 1), List.of(1));
        assertThat(again.toString()).startsWith("kofn: " + file + ": damaged: ");
        assertThat(DispatchTable.open(home, CPU).size()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "conv --networks vgg8             | 2 | kofn: model 'vgg8' is not known; did you mean 'vgg7'?",
                "conv --batch 0                   | 2 | kofn: --batch: must lie between 1 and 1024, not at 0",
                "conv --share 0                   | 2 | kofn: --share: must be at least 1, not 0",
                "conv --share 1000                | 2 | kofn: --share: there is no such layer whose number of outputs is a"
                        + " multiple of 1000",
                "conv --networks resnet-20 --layers convl | 2 | kofn: --layers: convl is in no layer's name or shape;"
                        + " did you mean 'conv1'?",
                "linear --shapes 64               | 2 | kofn: --shapes: '64' is no linear layer; write inputs and outputs"
                        + " as in 512x1000",
                "--tune --batches 0               | 2 | kofn: --batches: must lie between 1 and 1024, not at 0",
                "--tune --networks vgg8           | 2 | kofn: model 'vgg8' is not known; did you mean 'vgg7'?",
                "--tune nowhere                   | 3 | kofn: nowhere: no such run folder; 'kofn train RECIPE --out"
                        + " nowhere' makes one",
                "conv --device cpu --precision tf32 | 2 | kofn: --precision tf32: is for NVIDIA GPUs; a CPU has fp32"
                        + " and bf16",
                "--tune --device cpu --precision bf16 | 2 | kofn: --precision bf16: what is measured in fp32 decides on"
                        + " a CPU; leave the option out",
                "model --network vgg7 --device gpu | 2 | kofn: device: 'gpu' is none; write auto, cpu, cuda or cuda:1",
                "sample --networks resnet18       | 2 | kofn: model 'resnet18' is not known; did you mean 'resnet-18'?",
                "sample --granularity kernle      | 2 | kofn: --granularity: 'kernle' is no granularity; did you mean"
                        + " 'kernel'?",
                "sample --kernels cpuu            | 2 | kofn: --kernels: 'cpuu' is no implementation; did you mean"
                        + " 'cpu'?",
                "sample --device gpu              | 2 | kofn: device: 'gpu' is none; write auto, cpu, cuda or cuda:1",
                "sample --keep 2:4                | 2 | kofn: --keep: 2:4 is a granularity; write --granularity 2:4",
                "sample --keep some               | 2 | kofn: --keep: keep: 'some' is not a budget; write 8/64, 5%, 2:4"
                        + " or all",
                "sample --shapes 3x4              | 2 | kofn: --shapes: '3x4' is no shape; write groups, candidates and"
                        + " elements as in 512x512x9, or a weight's shape and a granularity as in 512x512x3x3/2:4",
                "sample --networks lenet-300-100 --granularity kernel | 2 | kofn: --granularity: no layer of"
                        + " lenet-300-100 has it; weight fits all",
                "sample --repeats -1              | 2 | kofn: --repeats: must not be negative, as -1 is",
                "sample --threads -1              | 2 | kofn: --threads: must not be negative, as -1 is",
                "step --networks vgg8             | 2 | kofn: --networks: 'vgg8' is not known; did you mean 'vgg7'?",
                "step --batch 0                   | 2 | kofn: --batch: must lie between 1 and 8192, not at 0",
                "model                            | 2 | kofn: give either a run folder or --network (see kofn bench model"
                        + " --help)",
                "model runs/x --network vgg7      | 2 | kofn: give either a run folder or --network (see kofn bench model"
                        + " --help)",
                "model runs/none                  | 3 | kofn: runs/none: no such run folder; 'kofn train RECIPE --out"
                        + " runs/none' makes one",
                "model --network vgg8             | 2 | kofn: model 'vgg8' is not known; did you mean 'vgg7'?",
                "model --network vgg7 --density 2:4  | 2 | kofn: --density: 2:4 is a granularity; write 2/4",
                "model --network vgg7 --density none | 2 | kofn: --density: keep: 'none' is not a budget; write 8/64, 5%,"
                        + " 2:4 or all",
                "model --network vgg7 --batches 0 | 2 | kofn: --batches: must lie between 1 and 8192, not at 0",
                "model --network vgg7 --repeats -1 | 2 | kofn: --repeats: must not be negative, as -1 is",
                "model --network vgg7 --onnxruntime no.jar | 3 | kofn: --onnxruntime: no.jar: no such file",
                "step --seconds 0                 | 2 | kofn: --seconds: must be above 0, not 0.0",
            })
    void whatCannotBeMeasuredIsOneLine(String args, int code, String line) {
        Cli wrong = Cli.run(("bench " + args.trim()).split("\\s+"));
        assertThat(wrong.err()).isEqualTo(line + System.lineSeparator());
        assertThat(wrong.code()).isEqualTo(code);
        assertThat(wrong.out()).isEmpty();
    }
}
