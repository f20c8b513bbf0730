package org.kofn.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.bench.SampleBench;
import org.kofn.bench.SampleCase;
import org.kofn.bench.SampleResult;
import org.kofn.bench.Unit;
import org.kofn.mask.Keep;
import org.kofn.torch.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kofn bench sample}: sampling masks and the gradient of that, without a network around it. */
@Command(
        name = "sample",
        description = {
            "Measures Gumbel top-k sampling of masks, forward and backward, for all layers of a network at once.",
            "The baseline is the same in LibTorch's operations. Bytes are those that have to be moved at least; a copy"
                    + " is one of a large tensor, measured in the same run."
        },
        footer = {
            "%nExamples:",
            "  kofn bench sample",
            "  kofn bench sample --networks resnet-18 --granularity kernel,2:4 --keep 25%%",
            "  kofn bench sample --shapes 512x512x9,64x64x1 --seconds 5 --json"
        })
final class BenchSampleCommand implements Callable<Integer> {
    private static final double SECONDS = 2;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--networks",
            split = ",",
            paramLabel = "NAME",
            description = "Networks of the zoo, or all. Default: all, and some single shapes.")
    private List<String> networks;

    @Option(
            names = "--granularity",
            split = ",",
            paramLabel = "UNIT",
            defaultValue = "kernel,weight",
            description = "What is kept or dropped in networks: weight, kernel, filter, or n:m such as 2:4. Layers for"
                    + " which that makes no sense get weight. Default: ${DEFAULT-VALUE}.")
    private List<String> granularities;

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "SHAPE",
            description = "Single layers: groups, candidates and elements as in 512x512x9; or a weight's shape and a"
                    + " granularity as in 512x512x3x3/2:4.")
    private List<String> shapes;

    @Option(
            names = "--keep",
            paramLabel = "K",
            defaultValue = "10%",
            description = "How many stay, as in recipes. Default: 10%%.")
    private String keep;

    @Option(
            names = "--baseline",
            paramLabel = "NAME",
            defaultValue = "generator",
            description = "Noise of the baseline: generator, LibTorch's own, or reference, drawn in Java as by"
                    + " --kernels reference. Default: ${DEFAULT-VALUE}.")
    private SampleBench.Baseline baseline;

    @Mixin
    private BenchOptions options;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        List<SampleCase> cases = cases();
        try (Device device = options.device()) {
            SampleBench bench = new SampleBench(device, options.kernels(), baseline, options.effort(SECONDS));
            BenchOptions.announce(err, bench.choice());
            List<SampleResult> results = new ArrayList<>();
            for (SampleCase sampleCase : cases) {
                if (options.json()) {
                    out.println(BenchOptions.line(bench.run(sampleCase), device));
                } else {
                    err.println("measuring " + sampleCase.name());
                    results.add(bench.run(sampleCase));
                }
            }
            if (!options.json()) {
                table(results).lines().forEach(out::println);
                out.printf(
                        Locale.ROOT,
                        "ours: %s (%s) on %s, where a copy moves %s GB/s%n",
                        bench.choice().kernels().name(),
                        bench.choice().reason(),
                        Devices.describe(device),
                        BenchOptions.number(bench.copyBandwidth() / 1e9));
            }
        }
        return ExitCode.OK.code();
    }

    /** What is measured; all that can be wrong with the options is found here, before the first measurement. */
    private List<SampleCase> cases() {
        Keep budget = Keep.parse("--keep", keep);
        if (budget.isNOfM()) {
            throw KofnException.usage("--keep: %s is a granularity; write --granularity %s", keep, keep);
        }
        List<Unit> units = granularities.stream()
                .map(text -> Unit.parse("--granularity", text))
                .toList();
        boolean everything = networks == null && shapes == null;
        List<SampleCase> cases = new ArrayList<>();
        for (String network : BenchOptions.networks(everything ? List.of("all") : orNone(networks))) {
            for (Unit unit : units) {
                SampleCase.ofNetwork(network, unit, budget).ifPresent(cases::add);
            }
        }
        for (String shape : everything ? SampleCase.SHAPES : orNone(shapes)) {
            cases.add(SampleCase.ofShape(shape, budget));
        }
        if (cases.isEmpty()) {
            throw KofnException.usage(
                    "--granularity: no layer of %s has it; weight fits all", String.join(", ", networks));
        }
        return cases;
    }

    private static List<String> orNone(List<String> list) {
        return list == null ? List.of() : list;
    }

    private static Table table(List<SampleResult> results) {
        Table table = new Table(
                "case",
                "candidates",
                "baseline ms",
                "ours ms",
                "ratio",
                "forward",
                "ours",
                "ratio",
                "backward",
                "ours",
                "ratio",
                "M candidates/s",
                "GB/s",
                "of a copy",
                "n");
        for (SampleResult result : results) {
            table.row(
                    result.name(),
                    String.format(Locale.ROOT, "%,d", result.candidates()),
                    BenchOptions.number(result.baselineMs()),
                    BenchOptions.number(result.oursMs()),
                    BenchOptions.number(result.ratio()),
                    BenchOptions.number(result.baselineForwardMs()),
                    BenchOptions.number(result.oursForwardMs()),
                    BenchOptions.number(result.forwardRatio()),
                    BenchOptions.number(result.baselineBackwardMs()),
                    BenchOptions.number(result.oursBackwardMs()),
                    BenchOptions.number(result.backwardRatio()),
                    BenchOptions.number(result.candidatesPerS() / 1e6),
                    BenchOptions.number(result.bytesPerS() / 1e9),
                    BenchOptions.number(100 * result.bandwidthShare()) + " %",
                    result.n());
        }
        return table;
    }
}
