package org.kofn.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.torch.TorchError;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * How a failure reads: one line {@code kofn: …} that says what is wrong and what to do, red on a terminal, and the exit
 * code that goes with it. Where in the code it happened is shown for {@code --stacktrace} alone.
 */
final class Failures implements IExecutionExceptionHandler, IParameterExceptionHandler {

    /** One line for the user and how the process ends. */
    record Failure(ExitCode code, String line) {}

    @Override
    public int handleExecutionException(Exception exception, CommandLine line, ParseResult parsed) {
        return report(exception, line);
    }

    @Override
    public int handleParseException(ParameterException exception, String[] args) {
        CommandLine line = exception.getCommandLine();
        String name = line.getCommandSpec().qualifiedName();
        String message = exception.getMessage().replaceFirst("^Error: ", "");
        print(line, message + suggestion(exception) + " (see " + name + " --help)");
        return ExitCode.USAGE.code();
    }

    /** Prints the failure's line, and its stack where the user asked for it; returns the exit code. */
    static int report(Throwable error, CommandLine line) {
        Failure failure = explain(error);
        print(line, failure.line());
        Main main = (Main) line.getCommandSpec().root().userObject();
        if (main.stacktrace()) {
            error.printStackTrace(line.getErr());
        }
        return failure.code().code();
    }

    /** What a failure means to the user. */
    static Failure explain(Throwable error) {
        if (error instanceof KofnException known) {
            return new Failure(known.exitCode(), known.getMessage());
        }
        if (error instanceof LinkageError) {
            return new Failure(
                    ExitCode.DEVICE,
                    "a native library does not load: " + rootLine(error) + "; `kofn doctor` says what is missing");
        }
        if (error instanceof OutOfMemoryError) {
            long heap = Runtime.getRuntime().maxMemory() >> 20;
            return new Failure(
                    ExitCode.INTERNAL,
                    "Java's heap of " + heap + " MiB is full (" + TorchError.firstLine(error)
                            + "); KOFN_JAVA_OPTS=-Xmx8g gives it more");
        }
        if (error instanceof IOException || error instanceof UncheckedIOException) {
            return new Failure(ExitCode.FILE, rootLine(error));
        }
        if (isLibTorch(error)) {
            String line = TorchError.firstLine(error);
            return line.contains("out of memory")
                    ? new Failure(ExitCode.DEVICE, line + " Less is needed with a smaller batch: --set batch=N")
                    : new Failure(ExitCode.INTERNAL, "LibTorch: " + line);
        }
        return new Failure(
                ExitCode.INTERNAL,
                "internal error: " + error.getClass().getSimpleName() + ": " + TorchError.firstLine(error)
                        + "; --stacktrace shows where");
    }

    private static void print(CommandLine line, String text) {
        PrintWriter err = line.getErr();
        err.println(line.getColorScheme().errorText("kofn: " + text));
        err.flush();
    }

    /** Whether LibTorch threw it: JavaCPP makes every C++ exception a plain {@link RuntimeException}. */
    private static boolean isLibTorch(Throwable error) {
        StackTraceElement[] stack = error.getStackTrace();
        return error.getClass() == RuntimeException.class
                && stack.length > 0
                && stack[0].getClassName().startsWith("org.bytedeco.");
    }

    private static String rootLine(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root instanceof java.nio.file.FileSystemException || root instanceof ClassNotFoundException
                ? root.getClass().getSimpleName() + ": " + root.getMessage()
                : TorchError.firstLine(root);
    }

    /** The nearest option or command to what the user wrote, where the parser could not place it. */
    private static String suggestion(ParameterException exception) {
        if (!(exception instanceof UnmatchedArgumentException unmatched)
                || unmatched.getUnmatched().isEmpty()) {
            return "";
        }
        String wrong = unmatched.getUnmatched().get(0);
        CommandLine.Model.CommandSpec spec = exception.getCommandLine().getCommandSpec();
        var known = wrong.startsWith("-")
                ? spec.optionsMap().keySet()
                : spec.subcommands().keySet();
        return Suggest.nearest(wrong.replaceFirst("=.*", ""), known)
                .map(name -> "; did you mean '" + name + "'?")
                .orElse("");
    }
}
