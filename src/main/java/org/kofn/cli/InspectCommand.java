package org.kofn.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.ExitCode;
import org.kofn.export.CompactFile;
import org.kofn.export.CompactModel;
import org.kofn.export.LayerSummary;
import org.kofn.export.RunFolder;
import org.kofn.export.Summary;
import org.kofn.nn.Cost;
import org.kofn.nn.Cost.LayerCost;
import org.kofn.nn.Network;
import org.kofn.torch.Safetensors;
import org.kofn.torch.Tensors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn inspect}: a row a layer, of what a run kept and what that saves. */
@Command(
        name = "inspect",
        description = {
            "Shows, a row a layer, what a run kept and what that saves.",
            "MACs are those of one image, bytes those in model.safetensors. Confidence says how sure a layer's"
                    + " masks are, diversity how different those of its groups; both lie between 0 and 1."
        },
        footer = {"%nExamples:", "  kofn inspect runs/quickstart", "  kofn inspect runs/quickstart --json"})
final class InspectCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "A run folder.")
    private Path run;

    @Option(names = "--json", description = "Print JSON: summary.json with more in its layers.")
    private boolean json;

    /** A layer's row; the keys of {@code --json}. */
    record Row(
            String name,
            String granularity,
            long groups,
            long n,
            long k,
            int share,
            int bits,
            double density,
            long parametersTotal,
            long parametersKept,
            long macsDense,
            long macsKept,
            long bytes,
            Double confidence,
            Double diversity) {}

    @Override
    public Integer call() {
        RunFolder folder = RunFolder.open(run);
        Summary summary = Summary.read(folder.require(folder.summary()));
        Path file = folder.require(folder.modelSafetensors());
        Network network;
        try (CompactModel compact = CompactFile.read(file)) {
            network = compact.network();
        }
        List<Row> rows = rows(summary, network, storedBytes(file));
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            ObjectNode tree = Json.MAPPER.valueToTree(summary);
            tree.set("layers", Json.MAPPER.valueToTree(rows));
            out.println(tree);
        } else {
            table(summary, rows).lines().forEach(out::println);
        }
        return ExitCode.OK.code();
    }

    /** The bytes of every tensor that the file stores. */
    private static Map<String, Long> storedBytes(Path file) {
        try (Safetensors stored = Safetensors.read(file)) {
            return stored.tensors().entrySet().stream()
                    .collect(Collectors.toMap(Map.Entry::getKey, entry -> bytes(entry.getValue())));
        }
    }

    private static long bytes(Tensor tensor) {
        return Tensors.shape(tensor).length == 0 ? tensor.element_size() : tensor.numel() * tensor.element_size();
    }

    /** What the summary says of each layer, with what follows from the network and the file. */
    static List<Row> rows(Summary summary, Network network, Map<String, Long> stored) {
        Map<String, LayerCost> costs =
                Cost.of(network).stream().collect(Collectors.toMap(LayerCost::layer, Function.identity()));
        Map<String, Network.Weight> weights =
                network.weights().stream().collect(Collectors.toMap(Network.Weight::layer, Function.identity()));
        List<Row> rows = new ArrayList<>();
        for (LayerSummary layer : summary.layers()) {
            LayerCost cost = costs.get(layer.name());
            long weight = 1;
            for (long size : weights.get(layer.name()).shape()) {
                weight *= size;
            }
            long bytes = stored.entrySet().stream()
                    .filter(entry -> entry.getKey().startsWith(layer.name() + "."))
                    .mapToLong(Map.Entry::getValue)
                    .sum();
            rows.add(new Row(
                    layer.name(),
                    layer.granularity(),
                    layer.groups(),
                    layer.n(),
                    layer.k(),
                    layer.share(),
                    layer.bits(),
                    (double) layer.k() / layer.n(),
                    cost.parameters(),
                    cost.parameters() - weight / layer.n() * (layer.n() - layer.k()),
                    cost.macs(),
                    cost.macs() / layer.n() * layer.k(),
                    bytes,
                    layer.confidence(),
                    layer.diversity()));
        }
        return rows;
    }

    private static Table table(Summary summary, List<Row> rows) {
        Table table = new Table(
                "layer",
                "granularity",
                "groups",
                "k/n",
                "density",
                "parameters kept",
                "of",
                "MACs kept",
                "of",
                "bytes",
                "confidence",
                "diversity");
        for (Row row : rows) {
            table.row(
                    row.name(),
                    row.share() > 1 ? row.granularity() + ", share " + row.share() : row.granularity(),
                    row.groups(),
                    row.k() + "/" + row.n(),
                    percent(row.density()),
                    count(row.parametersKept()),
                    count(row.parametersTotal()),
                    count(row.macsKept()),
                    count(row.macsDense()),
                    count(row.bytes()),
                    fraction(row.confidence()),
                    fraction(row.diversity()));
        }
        return table.row(
                "the whole model",
                null,
                null,
                null,
                percent((double) summary.parametersKept() / summary.parametersTotal()),
                count(summary.parametersKept()),
                count(summary.parametersTotal()),
                count(summary.macsKept()),
                count(summary.macsDense()),
                count(summary.bytesCompact()),
                null,
                null);
    }

    private static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    private static String percent(double fraction) {
        return String.format(Locale.ROOT, "%.2f %%", 100 * fraction);
    }

    private static String fraction(Double value) {
        return value == null ? null : String.format(Locale.ROOT, "%.3f", value);
    }
}
