package org.kofn.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.kofn.base.ExitCode;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command {@code kofn}: holds the subcommands and what they share (help, version, exit codes, failures). */
@Command(
        name = "kofn",
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        versionProvider = Versions.class,
        sortOptions = false,
        usageHelpWidth = 100,
        description = "Trains networks that keep exactly k of n weights, kernels or filters, and proves it.",
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n",
        parameterListHeading = "%nParameters:%n",
        commandListHeading = "%nCommands:%n",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "  0:all went well",
            "  1:a bug in kofn or in a library",
            "  2:a wrong option, or a recipe that does not hold together",
            "  3:a file that is missing, damaged or cannot be written",
            "  4:a device or native library that is missing",
            "  5:training diverged: the loss is no longer a number",
            "  6:verification failed: a file is not what it claims to be",
            "130:interrupted (Ctrl-C); a checkpoint was written, --resume goes on",
            "143:terminated (SIGTERM); likewise"
        },
        footer = {
            "%nExamples:",
            "  kofn train configs/quickstart.yaml",
            "  kofn verify runs/quickstart",
            "  kofn train --help"
        },
        subcommands = {
            TrainCommand.class,
            EvalCommand.class,
            PredictCommand.class,
            InspectCommand.class,
            VerifyCommand.class,
            ExportCommand.class,
            DataCommand.class,
            BenchCommand.class,
            DoctorCommand.class,
            AutoComplete.GenerateCompletion.class
        })
public final class Main implements Runnable {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "After a failure, show where in the code it happened.")
    private boolean stacktrace;

    /** Runs one command and ends the process with its exit code (see {@link ExitCode}). */
    public static void main(String[] args) {
        System.setOut(utf8(FileDescriptor.out));
        System.setErr(utf8(FileDescriptor.err));
        int code = ExitCode.INTERNAL.code();
        try {
            code = run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), args);
        } finally {
            Interrupts.finished();
        }
        System.exit(code);
    }

    /**
     * Runs one command.
     *
     * @param out where results go
     * @param err where progress and failures go
     * @return the exit code
     */
    public static int run(PrintWriter out, PrintWriter err, String... args) {
        CommandLine line = commandLine().setOut(out).setErr(err);
        try {
            return line.execute(args);
        } catch (LinkageError | OutOfMemoryError e) {
            // picocli passes exceptions to its handler, but lets errors through.
            return Failures.report(e, line);
        }
    }

    /** The whole command line, ready to execute or to be asked for its help. */
    static CommandLine commandLine() {
        Failures failures = new Failures();
        CommandLine line = new CommandLine(new Main())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler(failures)
                .setParameterExceptionHandler(failures);
        return line;
    }

    /** Whether the user asked for stack traces, wherever on the line that was. */
    boolean stacktrace() {
        return stacktrace;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "a command is missing: " + String.join(", ", spec.subcommands().keySet()));
    }

    private static PrintStream utf8(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
    }
}
