package org.kofn.base;

/**
 * A failure that the user can do something about: one line that names the file, key or layer and a way out, and the
 * exit code that goes with it. Anything else that escapes is a bug and ends with {@link ExitCode#INTERNAL}.
 */
public final class KofnException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ExitCode exitCode;

    /**
     * A failure with its exit code, message and, for {@code --stacktrace}, what caused it (may be null). Line breaks
     * and other control characters, which only damaged files and odd names bring along, are shown as {@code ?}: the
     * message is one line, and nothing in it moves a terminal's cursor.
     */
    public KofnException(ExitCode exitCode, String message, Throwable cause) {
        super(message.replaceAll("[\\p{Cntrl}\u0080-\u009f\u2028\u2029]", "?"), cause);
        this.exitCode = exitCode;
    }

    /** How the process ends. */
    public ExitCode exitCode() {
        return exitCode;
    }

    /** A wrong option or recipe ({@link ExitCode#USAGE}). */
    public static KofnException usage(String message, Object... args) {
        return new KofnException(ExitCode.USAGE, String.format(message, args), null);
    }

    /** A file that is missing, damaged or cannot be written ({@link ExitCode#FILE}). */
    public static KofnException file(String message, Object... args) {
        return new KofnException(ExitCode.FILE, String.format(message, args), null);
    }

    /** Likewise, keeping the cause for {@code --stacktrace}. */
    public static KofnException file(Throwable cause, String message, Object... args) {
        return new KofnException(ExitCode.FILE, String.format(message, args), cause);
    }

    /** A missing device, driver or native library ({@link ExitCode#DEVICE}). */
    public static KofnException device(String message, Object... args) {
        return new KofnException(ExitCode.DEVICE, String.format(message, args), null);
    }

    /** A loss that is no longer a number ({@link ExitCode#DIVERGED}). */
    public static KofnException diverged(String message, Object... args) {
        return new KofnException(ExitCode.DIVERGED, String.format(message, args), null);
    }

    /** An artefact that is not what it claims to be ({@link ExitCode#VERIFICATION}). */
    public static KofnException verification(String message, Object... args) {
        return new KofnException(ExitCode.VERIFICATION, String.format(message, args), null);
    }
}
