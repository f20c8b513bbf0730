package org.kofn.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.bench.BenchLayer;
import org.kofn.bench.Effort;
import org.kofn.bench.Tuner;
import org.kofn.data.DataCatalog;
import org.kofn.kernels.Precision;
import org.kofn.runtime.Backend;
import org.kofn.torch.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn bench}: how fast kofn's kernels are on this machine, beside what they replace. */
@Command(
        name = "bench",
        description = {
            "Measures kofn's kernels on this machine, in turn with what they replace.",
            "Nothing else should run meanwhile. Times are medians.",
            "With --tune it finds out up to which density the sparse kernels are faster, layer by layer, and keeps that"
                    + " for the sparse runtime."
        },
        footer = {
            "%nExamples:",
            "  kofn bench conv --networks resnet-18@224",
            "  kofn bench sample --networks resnet-18",
            "  kofn bench step --networks resnet-20,vgg7 --json",
            "  kofn bench model --network resnet-18 --density 1/8",
            "  kofn bench --tune runs/quickstart",
            "  kofn bench --tune --device cuda --precision tf32"
        },
        subcommands = {
            BenchConvCommand.class,
            BenchLinearCommand.class,
            BenchSampleCommand.class,
            BenchStepCommand.class,
            BenchModelCommand.class
        })
final class BenchCommand implements Callable<Integer> {
    /** For a layer; of the usual networks that makes some minutes. */
    private static final Effort EFFORT = new Effort(0, 0.4);

    @Spec
    private CommandSpec spec;

    @Option(names = "--tune", description = "Measure for the sparse runtime; Ctrl-C keeps what was measured so far.")
    private boolean tune;

    @Parameters(
            paramLabel = "RUN",
            arity = "0..*",
            description = "With --tune: folders of runs, to measure the layers of their networks.")
    private List<Path> runs = List.of();

    @Option(
            names = "--networks",
            split = ",",
            paramLabel = "NAME",
            description = "With --tune: networks of the zoo, or all; @224 is for images of 224x224. Default: some"
                    + " common ones, if no RUN is given.")
    private List<String> networks;

    @Option(
            names = "--batches",
            split = ",",
            paramLabel = "N",
            description = "With --tune: images at a time. Default: 1,32.")
    private List<Integer> batches;

    @Option(names = "--threads", paramLabel = "N", description = "With --tune: threads; 0 takes all cores. Default: 0.")
    private Integer threads;

    @Option(names = "--device", paramLabel = "DEVICE", description = "With --tune: as of bench conv. Default: auto.")
    private String device;

    @Option(names = "--precision", paramLabel = "NAME", description = "With --tune: as of bench conv. Default: fp32.")
    private Precision precision;

    @Override
    public Integer call() {
        if (!tune) {
            throw refusal();
        }
        List<Integer> sizes = batches == null ? List.of(1, 32) : batches;
        sizes.forEach(batch -> LayerOptions.requireBatch("--batches", batch));
        List<String> usual = runs.isEmpty() ? Tuner.USUAL : List.of();
        List<BenchLayer> layers =
                Tuner.layers(List.copyOf(BenchOptions.networks(networks == null ? usual : networks)), runs);
        int count = MeasureOptions.setThreads(threads == null ? 0 : threads);
        Precision wanted = precision == null ? Precision.FP32 : precision;
        try (Device where = Devices.parse(device == null ? "auto" : device)) {
            Backend.requireKnown(where, wanted);
            if (wanted == Precision.BF16 && !where.is_cuda()) {
                throw KofnException.usage(
                        "--precision bf16: what is measured in fp32 decides on a CPU; leave the option out");
            }
            LayerOptions.requireKernels(where);
            LayerOptions.announce(spec.commandLine().getErr(), where);
            return new Tuning(DataCatalog.home(), where, wanted, EFFORT, count)
                    .run(spec.commandLine().getOut(), spec.commandLine().getErr(), layers, sizes);
        }
    }

    /** What is wrong with a line that has neither a command nor --tune. */
    private ParameterException refusal() {
        if (!runs.isEmpty()) {
            String wrong = runs.get(0).toString();
            return new ParameterException(
                    spec.commandLine(),
                    "'" + wrong + "' is no command"
                            + Suggest.hint(wrong, spec.subcommands().keySet()));
        }
        boolean options =
                Stream.of(networks, batches, threads, device, precision).anyMatch(Objects::nonNull);
        return new ParameterException(
                spec.commandLine(),
                (options ? "a command or --tune is missing: " : "a command is missing: ")
                        + String.join(", ", spec.subcommands().keySet()));
    }
}
