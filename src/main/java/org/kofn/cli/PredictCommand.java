package org.kofn.cli;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.export.CompactFile;
import org.kofn.export.CompactModel;
import org.kofn.export.ModelRuntime;
import org.kofn.export.Predictor;
import org.kofn.export.Predictor.Prediction;
import org.kofn.export.SavedModel;
import org.kofn.export.SparseModel;
import org.kofn.nn.Network;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn predict}: what a trained network sees on pictures. */
@Command(
        name = "predict",
        description = {
            "Says what is on pictures: the likeliest classes of each.",
            "A PNG or JPEG file of any size: the largest piece of the input's proportions is cut out of its middle,"
                    + " scaled, and normalised as in training. Grey networks take grey pictures. One that cannot be"
                    + " taken is named on standard error, the others are predicted all the same, and the exit code is"
                    + " 3. Unless --runtime says otherwise, the sparse kernels run model.safetensors."
        },
        footer = {
            "%nExamples:",
            "  kofn predict runs/quickstart seven.png",
            "  kofn predict runs/cifar/model.safetensors photos/ --top 5",
            "  kofn predict runs/quickstart scans/*.png --json"
        })
final class PredictCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "RUN", description = "A run folder, or a model.safetensors that kofn wrote.")
    private Path run;

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "IMAGE",
            description = "Pictures, and folders of them, which are searched through.")
    private List<Path> images;

    @Option(
            names = "--top",
            paramLabel = "N",
            defaultValue = "3",
            description = "How many classes of each picture to print. Default: ${DEFAULT-VALUE}.")
    private int top;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "16",
            description = "How many pictures to run together. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Mixin
    private ModelOptions options;

    @Option(names = "--json", description = "Print JSON, a line a picture.")
    private boolean json;

    @Override
    public Integer call() {
        if (top < 1 || batch < 1) {
            throw KofnException.usage("%s: must be at least 1", top < 1 ? "--top" : "--batch");
        }
        AtomicBoolean failed = new AtomicBoolean();
        PrintWriter out = spec.commandLine().getOut();
        try (SavedModel model = options.open(run, ModelRuntime.SPARSE)) {
            new Predictor(model, network(model), top, batch)
                    .run(images, found -> out.println(json ? Json.line(found) : line(found)), failure -> {
                        failed.set(true);
                        Failures.report(failure, spec.commandLine());
                    });
        }
        return (failed.get() ? ExitCode.FILE : ExitCode.OK).code();
    }

    /** What the model takes and gives: only the compact file says it. */
    private Network network(SavedModel model) {
        if (model instanceof SparseModel sparse) {
            return sparse.network();
        }
        if (Files.isRegularFile(run)) {
            throw KofnException.usage("%s: does not say which images it takes; give the run folder", run);
        }
        try (CompactModel compact = CompactFile.read(ModelRuntime.SPARSE.file(run))) {
            return compact.network();
        }
    }

    private static String line(Prediction found) {
        return found.classes().stream()
                .map(score -> String.format(Locale.ROOT, "%s (%.2f %%)", score.name(), 100 * score.probability()))
                .collect(Collectors.joining(", ", found.image() + ": ", ""));
    }
}
