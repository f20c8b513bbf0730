package org.kofn.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.bench.StepBench;
import org.kofn.bench.StepResult;
import org.kofn.nn.Zoo;
import org.kofn.torch.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kofn bench step}: what pruning adds to a whole training step. */
@Command(
        name = "step",
        description = {
            "Measures a training step with dynamic probabilistic pruning beside the same step of the dense network.",
            "A quarter of the kernels of all 3x3 convolutions but the first stays, as in"
                    + " configs/cifar-10-resnet-20.yaml. Images are random."
        },
        footer = {"%nExamples:", "  kofn bench step", "  kofn bench step --networks resnet-18 --batch 64 --json"})
final class BenchStepCommand implements Callable<Integer> {
    private static final double SECONDS = 30;
    private static final int LARGEST_BATCH = 8192;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--networks",
            split = ",",
            paramLabel = "NAME",
            defaultValue = "resnet-20,vgg7",
            description = "Networks of the zoo, or all. Default: ${DEFAULT-VALUE}.")
    private List<String> networks;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "128",
            description = "Images a step. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Mixin
    private BenchOptions options;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        Set<String> names = BenchOptions.networks(networks);
        names.forEach(BenchStepCommand::requireKnown);
        if (batch < 1 || batch > LARGEST_BATCH) {
            throw KofnException.usage("--batch: must lie between 1 and %d, not at %d", LARGEST_BATCH, batch);
        }
        try (Device device = options.device()) {
            StepBench bench = new StepBench(device, options.kernels(), options.effort(SECONDS));
            BenchOptions.announce(err, bench.choice());
            List<StepResult> results = new ArrayList<>();
            for (String name : names) {
                if (options.json()) {
                    out.println(BenchOptions.line(bench.run(name, batch), device));
                } else {
                    err.println("measuring " + name);
                    results.add(bench.run(name, batch));
                }
            }
            if (!options.json()) {
                table(results).lines().forEach(out::println);
                out.printf(
                        Locale.ROOT,
                        "kernels: %s (%s) on %s%n",
                        bench.choice().kernels().name(),
                        bench.choice().reason(),
                        Devices.describe(device));
            }
        }
        return ExitCode.OK.code();
    }

    private static void requireKnown(String network) {
        if (!Zoo.names().contains(network)) {
            throw KofnException.usage("--networks: '%s' is not known%s", network, Suggest.hint(network, Zoo.names()));
        }
    }

    private static Table table(List<StepResult> results) {
        Table table = new Table(
                "network",
                "batch",
                "pruned layers",
                "candidates",
                "dense ms",
                "pruned ms",
                "overhead",
                "paired",
                "in kernels",
                "n");
        for (StepResult result : results) {
            table.row(
                    result.name(),
                    result.batch(),
                    result.prunedLayers(),
                    String.format(Locale.ROOT, "%,d", result.candidates()),
                    BenchOptions.number(result.baselineMs()),
                    BenchOptions.number(result.oursMs()),
                    percent(result.overheadPercent()),
                    percent(result.pairedOverheadPercent()),
                    result.kernelsMs() == null ? null : BenchOptions.number(result.kernelsMs()) + " ms",
                    result.n());
        }
        return table;
    }

    private static String percent(double percent) {
        return String.format(Locale.ROOT, "%.1f %%", percent);
    }
}
