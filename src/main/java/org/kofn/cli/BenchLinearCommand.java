package org.kofn.cli;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.kofn.bench.BenchLayer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kofn bench linear}: the sparse kernels for linear layers, one by one. */
@Command(
        name = "linear",
        description = {
            "Measures the sparse kernels for linear layers, layer by layer and density by density.",
            "The baseline is the fastest of LibTorch's dense operations. Numbers are random."
        },
        footer = {
            "%nExamples:",
            "  kofn bench linear",
            "  kofn bench linear --networks vgg7 --batch 1,8,64",
            "  kofn bench linear --shapes 4096x4096 --cold --json"
        })
final class BenchLinearCommand implements Callable<Integer> {
    /** Of ImageNet's VGG16; the zoo has the form for CIFAR, with one linear layer. */
    private static final List<String> VGG16 = List.of("25088x4096", "4096x4096", "4096x1000");

    private static final List<String> NETWORKS = List.of("lenet-300-100", "vgg7", "resnet-18@224", "resnet-50@224");

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--networks",
            split = ",",
            paramLabel = "NAME",
            description = "Networks of the zoo, or all. Default: some, and VGG16's three layers for ImageNet.")
    private List<String> networks;

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "SHAPE",
            description = "Single layers: inputs and outputs, as in 4096x1000.")
    private List<String> shapes;

    @Mixin
    private LayerOptions options;

    @Override
    public Integer call() {
        boolean usual = networks == null && shapes == null;
        List<String> names = usual ? NETWORKS : networks == null ? List.of() : networks;
        List<String> single = usual ? VGG16 : shapes == null ? List.of() : shapes;
        return options.run(spec.commandLine().getOut(), spec.commandLine().getErr(), share -> Stream.concat(
                        BenchOptions.networks(names).stream()
                                .flatMap(name -> BenchLayer.of(name, BenchLayer.Kind.LINEAR, share).stream()),
                        single.stream().flatMap(shape -> BenchLayer.linear(shape, share).stream()))
                .toList());
    }
}
