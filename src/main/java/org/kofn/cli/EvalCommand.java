package org.kofn.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.data.DataCatalog;
import org.kofn.data.Dataset;
import org.kofn.data.Part;
import org.kofn.export.RunFolder;
import org.kofn.export.TestLogits;
import org.kofn.export.Verifier;
import org.kofn.nn.ScriptModule;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.torch.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn eval}: how good a saved model is on the test set of its recipe. */
@Command(
        name = "eval",
        description = "Measures a saved model on the test set, from its TorchScript file alone.",
        footer = {
            "%nExamples:",
            "  kofn eval runs/quickstart",
            "  kofn eval runs/quickstart/model.pt --device cpu --json"
        })
final class EvalCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "A run folder, or a model.pt that kofn wrote.")
    private Path run;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description = "auto, cpu, cuda or cuda:N. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() {
        Path file = run;
        if (!Files.isRegularFile(run)) {
            RunFolder folder = RunFolder.open(run);
            file = folder.require(folder.modelPt());
        }
        try (Device where = Devices.parse(device);
                ScriptModule module = ScriptModule.load(file, where)) {
            String yaml = module.extra(Verifier.RECIPE_IN_MODULE);
            if (yaml == null) {
                throw KofnException.file("%s: carries no recipe, so not a model of kofn's; give a run folder", file);
            }
            Recipe recipe = RecipeReader.parse(yaml, file + ", recipe");
            try (Dataset data = DataCatalog.load(recipe.data().name(), folder(recipe), Part.TEST);
                    TestLogits test = TestLogits.of(module, data, where)) {
                print(file, recipe, data.size(), test);
            }
        }
        return ExitCode.OK.code();
    }

    private static Path folder(Recipe recipe) {
        return recipe.data().dir() == null ? null : Path.of(recipe.data().dir());
    }

    private void print(Path file, Recipe recipe, long images, TestLogits test) {
        if (json) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("model", file.toString());
            result.put("data", recipe.data().name());
            result.put("images", images);
            result.put("test_accuracy", test.accuracy());
            result.put("test_loss", test.loss());
            spec.commandLine().getOut().println(Json.line(result));
            return;
        }
        spec.commandLine()
                .getOut()
                .printf(
                        Locale.ROOT,
                        "%s: test accuracy %.2f %%, loss %.4f on %,d images of %s%n",
                        file,
                        100 * test.accuracy(),
                        test.loss(),
                        images,
                        recipe.data().name());
    }
}
