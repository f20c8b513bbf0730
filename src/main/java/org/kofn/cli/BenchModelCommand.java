package org.kofn.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.bench.Effort;
import org.kofn.bench.ModelBench;
import org.kofn.bench.ModelResult;
import org.kofn.bench.RandomModel;
import org.kofn.export.RunFolder;
import org.kofn.mask.Keep;
import org.kofn.torch.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn bench model}: a whole pruned network, beside the same network in dense runtimes. */
@Command(
        name = "model",
        description = {
            "Measures a pruned network in the sparse runtime, beside the same network in LibTorch, frozen.",
            "Latency and throughput of batches of random images, peak memory, file sizes, and how far the scores are"
                    + " apart."
        },
        footer = {
            "%nExamples:",
            "  kofn bench model runs/quickstart",
            "  kofn bench model --network resnet-18 --density 1/8 --batches 1,32 --threads 2",
            "  kofn bench model --network vgg16-bn --onnxruntime onnxruntime-1.22.0.jar --json"
        })
final class BenchModelCommand implements Callable<Integer> {
    private static final double SECONDS = 10;
    private static final int LARGEST_BATCH = 8192;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", arity = "0..1", description = "A run folder.")
    private Path run;

    @Option(
            names = "--network",
            paramLabel = "NAME",
            description = "Instead of a run: this network with random weights and masks in all layers but the first and"
                    + " the last, of kernels in convolutions.")
    private String network;

    @Option(
            names = "--density",
            paramLabel = "K/N",
            defaultValue = "1/8",
            description = "What stays in the layers of --network, also as 12.5%% or all. Default: ${DEFAULT-VALUE}.")
    private String density;

    @Option(
            names = "--batches",
            split = ",",
            paramLabel = "N",
            defaultValue = "1,8,32",
            description = "Sizes of batch. Default: ${DEFAULT-VALUE}.")
    private List<Integer> batches;

    @Option(
            names = "--onnxruntime",
            paramLabel = "JAR",
            description = "com.microsoft.onnxruntime:onnxruntime, to measure it as well.")
    private Path onnxRuntime;

    @Mixin
    private BackendOptions backend;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Threads of every runtime on the CPU; 0 takes all cores. Default: ${DEFAULT-VALUE}.")
    private int threads;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "0",
            description = "Repetitions of each runtime; 0 goes by --seconds. Default: ${DEFAULT-VALUE}.")
    private int repeats;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            description = "Measure a size of batch for so long, after warming up; at least 5 repetitions.")
    private Double seconds;

    @Option(names = "--json", description = "Print JSON, a line a runtime and size of batch.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        check();
        Path folder = Files.createTempDirectory("kofn-bench");
        try (Device device = backend.device()) {
            RunFolder files = files(folder);
            PrintWriter err = spec.commandLine().getErr();
            List<ModelResult> results = new ArrayList<>();
            try (ModelBench bench = new ModelBench(
                    files.require(files.modelPt()),
                    files.require(files.modelSafetensors()),
                    onnxRuntime,
                    folder,
                    device,
                    backend.precision(),
                    torch.get_num_threads(),
                    new Effort(repeats, seconds == null ? SECONDS : seconds),
                    line -> err.println("kofn: " + line))) {
                for (int batch : batches) {
                    err.println("measuring batches of " + batch);
                    bench.run(batch).forEach(result -> {
                        results.add(result);
                        if (json) {
                            spec.commandLine().getOut().println(BenchOptions.line(result, device));
                        }
                    });
                }
            }
            if (!json) {
                table(results).lines().forEach(spec.commandLine().getOut()::println);
                spec.commandLine().getOut().printf("on %s, %s%n", Devices.describe(device), backend.precision());
            }
        } finally {
            remove(folder);
        }
        return ExitCode.OK.code();
    }

    private void check() {
        if ((run == null) == (network == null)) {
            throw new ParameterException(spec.commandLine(), "give either a run folder or --network");
        }
        if (threads < 0) {
            throw KofnException.usage("--threads: must not be negative, as %d is", threads);
        }
        if (threads > 0) {
            Devices.setThreads(threads);
        }
        for (int batch : batches) {
            if (batch < 1 || batch > LARGEST_BATCH) {
                throw KofnException.usage("--batches: must lie between 1 and %d, not at %d", LARGEST_BATCH, batch);
            }
        }
        if (onnxRuntime != null && !Files.isRegularFile(onnxRuntime)) {
            throw KofnException.file("--onnxruntime: %s: no such file", onnxRuntime);
        }
    }

    /** The folder with the models: the run's, or one that is made up. */
    private RunFolder files(Path folder) {
        if (run != null) {
            return RunFolder.open(run);
        }
        Keep keep = Keep.parse("--density", density);
        if (keep.isNOfM()) {
            throw KofnException.usage("--density: %s is a granularity; write %s", density, density.replace(':', '/'));
        }
        RandomModel.write(folder, network, keep, 1);
        return new RunFolder(folder);
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    private static Table table(List<ModelResult> results) {
        Table table = new Table(
                "case",
                "runtime",
                "p50 ms",
                "p99 ms",
                "cold ms",
                "images/s",
                "ratio",
                "peak MB loading",
                "running",
                "file kB",
                "difference",
                "n");
        for (ModelResult result : results) {
            table.row(
                    result.name(),
                    result.engine(),
                    BenchOptions.number(result.p50Ms()),
                    BenchOptions.number(result.p99Ms()),
                    BenchOptions.number(result.coldMs()),
                    BenchOptions.number(result.imagesPerS()),
                    BenchOptions.number(result.ratio()),
                    BenchOptions.number(result.peakLoadBytes() / 1e6),
                    BenchOptions.number(result.peakRunBytes() / 1e6),
                    String.format(Locale.ROOT, "%,d", result.fileBytes() / 1000),
                    String.format(Locale.ROOT, "%.1e", result.maxDifference() / result.maxScore()),
                    result.n());
        }
        return table;
    }
}
