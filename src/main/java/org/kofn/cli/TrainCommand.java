package org.kofn.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.kofn.base.ExitCode;
import org.kofn.export.RunFolder;
import org.kofn.export.Summary;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.train.ProgressListener;
import org.kofn.train.StopRequest;
import org.kofn.train.TrainRequest;
import org.kofn.train.Trainer;
import org.kofn.train.TrainingResult;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn train}: a recipe in, a run folder out. */
@Command(
        name = "train",
        description = {
            "Trains and prunes as a recipe says; models and results go into a run folder.",
            "What stands later wins: the recipe's defaults, the recipe, --set, the options below."
        },
        footer = {
            "%nExamples:",
            "  kofn train configs/quickstart.yaml",
            "  kofn train configs/quickstart.yaml --out runs/k4 --set prune.layers[0].keep=4/32 --seed 7",
            "  kofn train configs/quickstart.yaml --epochs-scale 0.1 --force",
            "  kofn train configs/quickstart.yaml --resume"
        })
final class TrainCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RECIPE", description = "The recipe, a YAML file; or a run folder, for its own recipe.")
    private Path recipe;

    @Option(
            names = {"-o", "--out"},
            paramLabel = "DIR",
            description = "The run folder. Default: runs/NAME for a recipe called NAME.yaml.")
    private Path out;

    @ArgGroup
    private Existing existing = new Existing();

    /** What to do with a run folder that exists. */
    private static final class Existing {
        @Option(names = "--resume", description = "Go on from the last checkpoint of the run folder.")
        private boolean resume;

        @Option(names = "--force", description = "Start again in a run folder that exists; its run is lost.")
        private boolean force;
    }

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Override a key of the recipe, as in prune.layers[0].keep=4/32. Can be repeated.")
    private List<String> overrides = new ArrayList<>();

    @Option(names = "--seed", paramLabel = "N", description = "The seed of everything random.")
    private Long seed;

    @Option(names = "--device", paramLabel = "DEVICE", description = "auto, cpu, cuda or cuda:N.")
    private String device;

    @Option(names = "--threads", paramLabel = "N", description = "Threads on the CPU; 0 takes all cores.")
    private Integer threads;

    @Option(
            names = "--epochs-scale",
            paramLabel = "X",
            defaultValue = "1",
            description = "Make every phase X times as long: 0.1 for a trial.")
    private double epochsScale;

    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            defaultValue = "auto",
            description = "What samples masks: auto, reference, cpu or cuda.")
    private String kernels;

    @Option(
            names = {"-q", "--quiet"},
            description = "Print nothing but failures.")
    private boolean quiet;

    @Option(names = "--json", description = "Print a line of JSON an epoch, and one with the summary at the end.")
    private boolean json;

    @Override
    public Integer call() {
        StopRequest stop = new StopRequest();
        Path file = Files.isDirectory(recipe) ? RunFolder.open(recipe).recipe() : recipe;
        Recipe resolved = RecipeReader.read(file, allOverrides(), epochsScale);
        TrainRequest request =
                new TrainRequest(resolved, runFolder(), existing.resume, existing.force, kernels, progress(), stop);
        try (Interrupts interrupts = new Interrupts(() -> stop.request(ExitCode.INTERRUPTED))) {
            report(Trainer.run(request));
        }
        return ExitCode.OK.code();
    }

    /** The overrides in the order they count: options after {@code --set}. */
    List<String> allOverrides() {
        List<String> all = new ArrayList<>(overrides);
        if (seed != null) {
            all.add("seed=" + seed);
        }
        if (device != null) {
            all.add("device=" + device);
        }
        if (threads != null) {
            all.add("threads=" + threads);
        }
        return all;
    }

    /** Where the run goes: {@code --out}, the run folder given as recipe, or {@code runs/} and the recipe's name. */
    Path runFolder() {
        if (out != null) {
            return out;
        }
        if (Files.isDirectory(recipe)) {
            return recipe;
        }
        String name = recipe.getFileName().toString();
        return Path.of("runs", name.replaceFirst("\\.ya?ml$", ""));
    }

    private ProgressListener progress() {
        if (json) {
            return new JsonProgress(spec.commandLine().getOut());
        }
        return quiet
                ? ProgressListener.NONE
                : new ConsoleProgress(System.err, System.console() != null, System::nanoTime);
    }

    private void report(TrainingResult result) {
        if (json) {
            spec.commandLine().getOut().println(JsonProgress.result(result));
        } else if (!quiet) {
            Summary summary = result.summary();
            spec.commandLine()
                    .getOut()
                    .printf(
                            Locale.ROOT,
                            "%s: test accuracy %.2f %%, keeping %,d of %,d parameters and %,d of %,d MACs, in %.0f s%n",
                            result.out(),
                            100 * summary.testAccuracy(),
                            summary.parametersKept(),
                            summary.parametersTotal(),
                            summary.macsKept(),
                            summary.macsDense(),
                            summary.seconds());
        }
    }
}
