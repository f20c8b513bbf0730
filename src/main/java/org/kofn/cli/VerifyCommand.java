package org.kofn.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.export.Report;
import org.kofn.export.Verifier;
import org.kofn.torch.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn verify}: proves that the files of a run are what they claim to be. */
@Command(
        name = "verify",
        description = {
            "Proves, from the files of a run alone, that they are what they claim to be.",
            "Exactly k of n candidates are kept in every group, every saved form holds the same weights and"
                    + " computes the same, and the summary is true. The sparse runtime's logits lie within what rounding"
                    + " does to this network; its speed is measured, never judged."
        },
        footer = {"%nExamples:", "  kofn verify runs/quickstart", "  kofn verify runs/quickstart --json"})
final class VerifyCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "A run folder.")
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
        Report report;
        try (Device where = Devices.parse(device)) {
            report = Verifier.verify(run, where);
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(Json.line(Json.MAPPER
                    .createObjectNode()
                    .put("run", run.toString())
                    .put("passed", report.passed())
                    .setAll((com.fasterxml.jackson.databind.node.ObjectNode) Json.MAPPER.valueToTree(report))));
        } else {
            print(report, out);
        }
        long failed = report.checks().stream().filter(check -> !check.passed()).count();
        if (failed > 0) {
            throw KofnException.verification(
                    "%s: %d of %d checks failed; the files were changed, or another build wrote them or runs them",
                    run, failed, report.checks().size());
        }
        return ExitCode.OK.code();
    }

    private void print(Report report, PrintWriter out) {
        if (!report.layers().isEmpty()) {
            Table table = new Table("parameter", "granularity", "groups", "k/n", "share", "bytes", "dense");
            for (Report.LayerRow layer : report.layers()) {
                table.row(
                        layer.name(),
                        layer.granularity(),
                        layer.groups(),
                        layer.k() + "/" + layer.n(),
                        layer.share(),
                        layer.bytesCompact(),
                        layer.bytesDense());
            }
            table.lines().forEach(out::println);
            out.println();
        }
        Ansi ansi = spec.commandLine().getColorScheme().ansi();
        for (Report.Check check : report.checks()) {
            String word =
                    switch (check.outcome()) {
                        case PASSED -> "@|green ok     |@";
                        case FAILED -> "@|bold,red FAILED |@";
                        case SKIPPED -> "@|yellow skipped|@";
                    };
            String detail = check.detail().isEmpty() ? "" : ": " + check.detail();
            out.println(ansi.string(word) + "  " + check.name() + detail);
        }
        if (report.sparse() != null) {
            out.println();
            print(report.sparse(), out);
        }
    }

    /** What was measured, which no check judges. */
    private static void print(Report.Sparse sparse, PrintWriter out) {
        out.printf(
                Locale.ROOT,
                "one image on %d thread%s: %s ms in the sparse runtime, %s ms in TorchScript (medians of %d, here)%n",
                sparse.threads(),
                sparse.threads() == 1 ? "" : "s",
                BenchOptions.number(sparse.sparseMs()),
                BenchOptions.number(sparse.denseMs()),
                sparse.runs());
        out.printf(Locale.ROOT, "size: %,d bytes compact, %,d dense%n", sparse.bytesCompact(), sparse.bytesDense());
        sparse.removals().forEach(out::println);
    }
}
