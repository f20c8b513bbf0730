package org.kofn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kofn bench}: how fast kofn's kernels are on this machine, beside what they replace. */
@Command(
        name = "bench",
        description = {
            "Measures kofn's kernels on this machine, in turn with what they replace.",
            "Nothing else should run meanwhile. Times are medians."
        },
        footer = {
            "%nExamples:",
            "  kofn bench sample --networks resnet-18",
            "  kofn bench step --networks resnet-20,vgg7 --json",
            "  kofn bench model --network resnet-18 --density 1/8"
        },
        subcommands = {BenchSampleCommand.class, BenchStepCommand.class, BenchModelCommand.class})
final class BenchCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "a command is missing: " + String.join(", ", spec.subcommands().keySet()));
    }
}
