package org.kofn.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.export.ModelRuntime;
import org.kofn.export.SavedModel;
import org.kofn.export.SparseModel;
import org.kofn.export.TestLogits;
import org.kofn.kernels.Precision;
import org.kofn.recipe.Recipe;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn eval}: how good a saved model is on the test set of its recipe. */
@Command(
        name = "eval",
        description = {
            "Measures a saved model on the test set, from its one file alone.",
            "That is model.pt in LibTorch unless --runtime sparse asks for model.safetensors in the sparse kernels."
        },
        footer = {
            "%nExamples:",
            "  kofn eval runs/quickstart",
            "  kofn eval runs/quickstart --runtime sparse --layers",
            "  kofn eval runs/quickstart --runtime sparse --precision bf16",
            "  kofn eval runs/quickstart --runtime sparse --device cuda --precision tf32",
            "  kofn eval runs/quickstart/model.safetensors --threads 1 --json"
        })
final class EvalCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "A run folder, or a model.pt or model.safetensors that kofn wrote.")
    private Path run;

    @Mixin
    private ModelOptions options;

    @Option(names = "--layers", description = "Say what computes each layer, in the sparse runtime.")
    private boolean layers;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() {
        if (layers && options.runtime(run, ModelRuntime.TORCHSCRIPT) != ModelRuntime.SPARSE) {
            throw KofnException.usage("--layers: is about the sparse runtime; add --runtime sparse");
        }
        try (SavedModel model = options.open(run, ModelRuntime.TORCHSCRIPT);
                Dataset data = test(model.recipe());
                TestLogits test = TestLogits.of(model, data)) {
            List<String> kernels = layers ? ((SparseModel) model).layers(model.batch()) : null;
            if (json) {
                spec.commandLine().getOut().println(Json.line(result(model, data.size(), test, kernels)));
            } else {
                print(model, data.size(), test, kernels);
            }
        }
        return ExitCode.OK.code();
    }

    private static Dataset test(Recipe recipe) {
        Path dir = recipe.data().dir() == null ? null : Path.of(recipe.data().dir());
        return DataCatalog.load(recipe.data().name(), dir, Part.TEST);
    }

    private static Map<String, Object> result(SavedModel model, long images, TestLogits test, List<String> kernels) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("model", model.file().toString());
        result.put("runtime", model.runtime().word());
        if (model instanceof SparseModel sparse) {
            result.put("precision", sparse.precision().word());
        }
        result.put("data", model.recipe().data().name());
        result.put("images", images);
        result.put("test_accuracy", test.accuracy());
        result.put("test_loss", test.loss());
        if (kernels != null) {
            result.put("layers", kernels);
        }
        return result;
    }

    private static String by(SparseModel model) {
        return ", by the sparse runtime" + (model.precision() == Precision.FP32 ? "" : " in " + model.precision());
    }

    private void print(SavedModel model, long images, TestLogits test, List<String> kernels) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf(
                Locale.ROOT,
                "%s: test accuracy %.2f %%, loss %.4f on %,d images of %s%s%n",
                model.file(),
                100 * test.accuracy(),
                test.loss(),
                images,
                model.recipe().data().name(),
                model instanceof SparseModel sparse ? by(sparse) : "");
        if (kernels != null) {
            kernels.forEach(layer -> out.println("  " + layer));
        }
    }
}
