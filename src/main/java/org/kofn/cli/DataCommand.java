package org.kofn.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.data.DataCatalog;
import org.kofn.data.DataInfo;
import org.kofn.data.FetchProgress;
import org.kofn.data.Fetcher;
import org.kofn.data.Importer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kofn data}: which data sets there are, and how they come into kofn's data folder. */
@Command(
        name = "data",
        description = {
            "Lists, downloads and imports data sets.",
            "They are kept in the folder that KOFN_DATA names, or else in ~/.cache/kofn."
        },
        footer = {
            "%nExamples:",
            "  kofn data list",
            "  kofn data fetch mnist cifar-10",
            "  kofn data import mnist --from ~/Downloads"
        })
final class DataCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "a command is missing: " + String.join(", ", spec.subcommands().keySet()));
    }

    @Command(
            name = "list",
            description = "Lists the data sets that recipes can name, and whether they are here.",
            footer = {"%nExamples:", "  kofn data list", "  kofn data list --json"})
    void list(
            @Option(names = "--dir", paramLabel = "DIR", description = "Look here instead of in the data folder.")
                    Path dir,
            @Option(names = "--json", description = "Print JSON, an array with an object a set.") boolean json) {
        PrintWriter out = spec.commandLine().getOut();
        List<DataInfo> sets = DataCatalog.names().stream()
                .map(name -> DataCatalog.info(name, dir))
                .toList();
        if (json) {
            out.println(Json.line(sets));
            return;
        }
        Table table = new Table("name", "images", "classes", "train", "test", "here", "where", "licence");
        for (DataInfo set : sets) {
            boolean any = set.channels() == 0;
            table.row(
                    set.name(),
                    any ? "any size" : set.channels() + "×" + set.height() + "×" + set.width(),
                    any ? null : set.classes(),
                    any ? null : set.trainSize(),
                    any ? null : set.testSize(),
                    set.present() ? "yes" : "no",
                    set.where(),
                    set.licence());
        }
        table.lines().forEach(out::println);
    }

    @Command(
            name = "fetch",
            description = "Downloads data sets from public mirrors and checks their SHA-256; goes on where it stopped.",
            footer = {"%nExamples:", "  kofn data fetch mnist", "  kofn data fetch cifar-10 --dir /data/kofn"})
    void fetch(
            @Parameters(paramLabel = "NAME", arity = "1..*", description = "The sets, as `kofn data list` names them.")
                    List<String> names,
            @Option(names = "--dir", paramLabel = "DIR", description = "Put them here instead of in the data folder.")
                    Path dir) {
        names.forEach(DataCommand::require);
        PrintWriter err = spec.commandLine().getErr();
        Fetcher fetcher = new Fetcher(new Download(err, System.console() != null));
        for (String name : names) {
            Path folder = fetcher.fetch(name, dir);
            spec.commandLine().getOut().println(name + " is in " + folder);
        }
    }

    @Command(
            name = "import",
            description = "Takes the files of a data set from a local folder, after reading them to the end.",
            footer = {"%nExamples:", "  kofn data import mnist --from ~/Downloads"})
    void importSet(
            @Parameters(paramLabel = "NAME", description = "The set, as `kofn data list` names it.") String name,
            @Option(names = "--from", required = true, paramLabel = "DIR", description = "Where the files are now.")
                    Path from,
            @Option(names = "--dir", paramLabel = "DIR", description = "Put them here instead of in the data folder.")
                    Path dir) {
        require(name);
        Importer.Result result = Importer.run(name, from, dir);
        PrintWriter out = spec.commandLine().getOut();
        Table table = new Table("file", "is", "SHA-256");
        result.files().forEach(file -> table.row(file.file(), words(file.match()), file.sha256()));
        table.lines().forEach(out::println);
        out.printf(
                Locale.ROOT,
                "%s: %d training and %d test images are in %s%n",
                result.name(),
                result.trainSize(),
                result.testSize(),
                result.folder());
    }

    /** An unknown name is found before anything is downloaded. */
    private static void require(String name) {
        if (!DataCatalog.names().contains(name)) {
            throw KofnException.usage("data set '%s' is not known%s", name, Suggest.hint(name, DataCatalog.names()));
        }
    }

    private static String words(Importer.Match match) {
        return switch (match) {
            case PUBLISHED -> "as published";
            case DIFFERENT -> "different from the published file";
            case UNKNOWN -> "not published in this form";
        };
    }

    /** A download as one line that is written over on a terminal, and as a line a file elsewhere. */
    private static final class Download implements FetchProgress {
        private final PrintWriter err;
        private final boolean terminal;
        private long shown = -1;

        Download(PrintWriter err, boolean terminal) {
            this.err = err;
            this.terminal = terminal;
        }

        @Override
        public void bytes(String file, long done, long total) {
            boolean complete = done == total;
            long percent = 100 * done / total;
            if (percent == shown || !terminal && !complete) {
                return;
            }
            shown = complete ? -1 : percent;
            err.printf(
                    Locale.ROOT,
                    "%s%s  %.1f of %.1f MB  %d %%%s",
                    terminal ? "\r" : "",
                    file,
                    done / 1e6,
                    total / 1e6,
                    percent,
                    terminal && !complete ? "" : System.lineSeparator());
            err.flush();
        }

        @Override
        public void message(String line) {
            err.println(line);
        }
    }
}
