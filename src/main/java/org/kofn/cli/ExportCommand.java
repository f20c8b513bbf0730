package org.kofn.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.export.CompactFile;
import org.kofn.export.CompactModel;
import org.kofn.export.ModelRuntime;
import org.kofn.export.onnx.OnnxExport;
import org.kofn.nn.Network;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn export}: a trained network in another program's format. */
@Command(
        name = "export",
        description = {
            "Writes a trained network, its masks folded in, as a file for other programs.",
            "onnx: opset 17, fp32, any size of batch. Tensors keep their names; dropped weights are zeros."
        },
        footer = {
            "%nExamples:",
            "  kofn export runs/quickstart",
            "  kofn export runs/quickstart --format onnx --out digits.onnx --force"
        })
final class ExportCommand implements Callable<Integer> {
    /** What can be written. */
    enum Format {
        ONNX
    }

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "A run folder, or a model.safetensors that kofn wrote.")
    private Path run;

    @Option(
            names = "--format",
            paramLabel = "NAME",
            defaultValue = "onnx",
            description = "What to write. The one there is: onnx.")
    private Format format;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "Where to. Default: model.onnx beside the model.safetensors that is read.")
    private Path out;

    @Option(names = "--force", description = "Replace the file if it is there.")
    private boolean force;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        Path file = ModelRuntime.SPARSE.file(run);
        String name = "model." + format.name().toLowerCase(Locale.ROOT);
        Path target = out == null ? file.resolveSibling(name) : out;
        if (Files.isDirectory(target)) {
            throw KofnException.usage("--out: %s is a folder; name a file in it", target);
        }
        if (Files.exists(target) && !force) {
            throw KofnException.file("%s: is there already; --force replaces it, --out writes elsewhere", target);
        }
        try (CompactModel model = CompactFile.read(file)) {
            Network network = model.network();
            OnnxExport.write(target, network, model.tensors(), Map.of("recipe.yaml", model.recipe()));
            print(target, network);
        }
        return ExitCode.OK.code();
    }

    private void print(Path target, Network network) throws IOException {
        long bytes = Files.size(target);
        if (json) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("file", target.toString());
            result.put("format", format.name().toLowerCase(Locale.ROOT));
            result.put("model", network.name());
            result.put("bytes", bytes);
            spec.commandLine().getOut().println(Json.line(result));
            return;
        }
        spec.commandLine()
                .getOut()
                .printf(
                        Locale.ROOT,
                        "%s: %s, %,d kB; input [batch, %d, %d, %d]%n",
                        target,
                        network.name(),
                        bytes / 1000,
                        network.input().channels(),
                        network.input().height(),
                        network.input().width());
    }
}
