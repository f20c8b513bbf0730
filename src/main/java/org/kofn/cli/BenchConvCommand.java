package org.kofn.cli;

import java.util.List;
import java.util.concurrent.Callable;
import org.kofn.bench.BenchLayer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kofn bench conv}: the sparse kernels for convolutions, layer by layer. */
@Command(
        name = "conv",
        description = {
            "Measures the sparse kernels for convolutions, layer by layer and density by density.",
            "The baseline is the fastest of LibTorch's dense layouts. Numbers are random."
        },
        footer = {
            "%nExamples:",
            "  kofn bench conv",
            "  kofn bench conv --networks resnet-50@224 --layers 1x1 --batch 1",
            "  kofn bench conv --share 32 --device cuda --precision tf32 --json"
        })
final class BenchConvCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--networks",
            split = ",",
            paramLabel = "NAME",
            defaultValue = "vgg16-bn@224,resnet-18@224,resnet-50@224",
            description = "Networks of the zoo, or all; @224 is for images of 224x224. Default: ${DEFAULT-VALUE}.")
    private List<String> networks;

    @Mixin
    private LayerOptions options;

    @Override
    public Integer call() {
        return options.run(
                spec.commandLine().getOut(),
                spec.commandLine().getErr(),
                share -> BenchOptions.networks(networks).stream()
                        .flatMap(name -> BenchLayer.of(name, BenchLayer.Kind.CONV, share).stream())
                        .toList());
    }
}
