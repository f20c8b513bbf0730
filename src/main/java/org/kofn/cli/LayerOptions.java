package org.kofn.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.bench.BenchLayer;
import org.kofn.bench.LayerBench;
import org.kofn.bench.LayerResult;
import org.kofn.runtime.Backend;
import org.kofn.torch.Devices;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What {@code kofn bench conv} and {@code kofn bench linear} have in common: options, measuring, the table. */
final class LayerOptions extends MeasureOptions {
    /** Densities are one through these. */
    private static final List<Integer> DENSITIES = List.of(1, 2, 4, 8, 16, 32);

    private static final double SECONDS = 1;
    private static final int LARGEST_BATCH = 1024;

    @Option(
            names = "--batch",
            split = ",",
            paramLabel = "N",
            defaultValue = "1,32",
            description = "Images. Default: ${DEFAULT-VALUE}.")
    private List<Integer> batches;

    @Option(
            names = "--share",
            paramLabel = "B",
            defaultValue = "1",
            description = "So many consecutive outputs keep the same inputs. Default: ${DEFAULT-VALUE}.")
    private int share;

    @Option(
            names = "--layers",
            split = ",",
            paramLabel = "TEXT",
            description = "Only layers in whose name or shape one of these texts is: layer4, 3x3, 512>512.")
    private List<String> filters;

    @Option(
            names = "--cold",
            description = "Flush the caches before every repetition. Otherwise what fits into them stays there.")
    private boolean cold;

    @Mixin
    private BackendOptions backend;

    /** Measures the layers that {@code listed} finds for a share, and prints them. */
    int run(PrintWriter out, PrintWriter err, Function<Integer, List<BenchLayer>> listed) {
        List<BenchLayer> layers = layers(listed);
        for (int batch : batches) {
            requireBatch("--batch", batch);
        }
        int threads = setThreads();
        try (Device device = backend.device();
                LayerBench bench = new LayerBench(device, backend.precision(), effort(SECONDS), cold)) {
            requireKernels(device);
            announce(err, device);
            for (int batch : batches) {
                List<LayerResult> results = new ArrayList<>();
                for (BenchLayer layer : layers) {
                    if (!json()) {
                        err.println("measuring " + layer.name() + ", batch " + batch);
                    }
                    LayerResult result = bench.run(layer, batch, threads, DENSITIES);
                    if (result == null) {
                        err.println("kofn: " + layer.name() + ": LibTorch computes it in no layout, nothing to compare"
                                + " with");
                    } else if (json()) {
                        out.println(BenchOptions.line(result, device));
                    } else {
                        results.add(result);
                    }
                }
                if (!results.isEmpty()) {
                    print(out, batch, where(device, threads), results);
                }
            }
        }
        return ExitCode.OK.code();
    }

    static void requireBatch(String option, int batch) {
        if (batch < 1 || batch > LARGEST_BATCH) {
            throw KofnException.usage("%s: must lie between 1 and %d, not at %d", option, LARGEST_BATCH, batch);
        }
    }

    /** There is nothing to measure without them. */
    static void requireKernels(Device device) {
        if (!Backend.available(device)) {
            throw KofnException.device("the native sparse kernels are missing; `kofn doctor` says why");
        }
    }

    /** Says where the baseline suffers. */
    static void announce(PrintWriter err, Device device) {
        if (!device.is_cuda() && !LayerBench.keepsMemory()) {
            err.println("kofn: malloc gives memory back between calls, which makes LibTorch's large layers slower than"
                    + " they could be; ./kofn sets it right");
        }
    }

    private List<BenchLayer> layers(Function<Integer, List<BenchLayer>> listed) {
        if (share < 1) {
            throw KofnException.usage("--share: must be at least 1, not %d", share);
        }
        List<BenchLayer> all = listed.apply(share);
        if (all.isEmpty()) {
            throw KofnException.usage(
                    "--share: there is no such layer whose number of outputs is a multiple of %d", share);
        }
        List<BenchLayer> wanted = all.stream()
                .filter(layer -> filters == null
                        || filters.stream()
                                .anyMatch(text -> layer.name().contains(text)
                                        || layer.shape().toString().contains(text)))
                .toList();
        if (wanted.isEmpty()) {
            List<String> names = all.stream().map(BenchLayer::layer).toList();
            throw KofnException.usage(
                    "--layers: %s is in no layer's name or shape%s",
                    String.join(", ", filters), Suggest.hint(filters.get(0), names));
        }
        return wanted;
    }

    /** Such as {@code 2 threads, fp32}, or {@code cuda:0, tf32}. */
    private String where(Device device, int threads) {
        String processor = device.is_cuda() ? Devices.describe(device) : threads + " threads";
        return processor + ", " + backend.precision();
    }

    private void print(PrintWriter out, int batch, String where, List<LayerResult> results) {
        Table table = new Table(Stream.concat(
                        Stream.of("layer", "times", "shape", "dense ms", "dense GFLOP/s", "layout"),
                        Stream.concat(DENSITIES.stream().map(LayerOptions::density), Stream.of("n")))
                .toArray(String[]::new));
        for (LayerResult result : results) {
            List<Object> cells = new ArrayList<>(List.of(
                    result.name(),
                    result.times(),
                    result.shape(),
                    BenchOptions.number(result.denseMs()),
                    BenchOptions.number(result.denseGflopPerS()),
                    result.denseLayout()));
            DENSITIES.forEach(one ->
                    cells.add(result.at(one).map(point -> ratio(point.ratio())).orElse(null)));
            cells.add(result.n());
            table.row(cells.toArray());
        }
        kernels(results).forEach(kernel -> mean(table, kernel, results));
        out.printf(
                "batch %d, %s, %s caches%s: how many times faster than dense, by density%n",
                batch, where, cold ? "cold" : "warm", share > 1 ? ", share " + share : "");
        table.lines().forEach(out::println);
        failures(results).forEach(out::println);
    }

    /** The kernels of the layers, whatever their stride. */
    private static Set<String> kernels(List<LayerResult> results) {
        return results.stream().map(LayerOptions::kernel).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    private static String kernel(LayerResult result) {
        return result.shape().kernel().replaceFirst("/.*", "");
    }

    /** The geometric mean over all layers with a kernel that have every density. */
    private static void mean(Table table, String kernel, List<LayerResult> results) {
        List<LayerResult> same = results.stream()
                .filter(result -> kernel(result).equals(kernel))
                .filter(result -> result.sparse().size() == DENSITIES.size())
                .toList();
        if (same.isEmpty()) {
            return;
        }
        List<Object> cells = new ArrayList<>(Arrays.asList("geometric mean", same.size(), kernel, null, null, null));
        DENSITIES.forEach(one -> cells.add(ratio(Math.exp(same.stream()
                .mapToDouble(result -> Math.log(result.at(one).orElseThrow().ratio()))
                .average()
                .orElseThrow()))));
        cells.add(null);
        table.row(cells.toArray());
    }

    /** Layouts that could not be measured, a line a kind of failure. */
    private static List<String> failures(List<LayerResult> results) {
        return results.stream()
                .flatMap(result -> result.dense().stream()
                        .filter(dense -> dense.failure() != null)
                        .map(dense -> "LibTorch's " + dense.layout() + " " + dense.failure()
                                + " and does not count for " + result.name()))
                .toList();
    }

    private static String density(int one) {
        return one == 1 ? "1" : "1/" + one;
    }

    private static String ratio(double ratio) {
        return String.format(Locale.ROOT, "%.2f", ratio);
    }
}
