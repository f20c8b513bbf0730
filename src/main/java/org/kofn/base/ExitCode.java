package org.kofn.base;

/** How a run of {@code kofn} ended. The numbers are part of the command line's contract. */
public enum ExitCode {
    /** All went well. */
    OK(0),
    /** A bug in kofn or in a library. */
    INTERNAL(1),
    /** A wrong option, or a recipe that does not hold together. */
    USAGE(2),
    /** A file that cannot be read, is damaged, or cannot be written. */
    FILE(3),
    /** A device, driver or native library that is missing. */
    DEVICE(4),
    /** The loss became NaN or infinite. */
    DIVERGED(5),
    /** {@code verify} found an artefact that is not what it claims to be. */
    VERIFICATION(6),
    /** SIGINT: the step was finished and a checkpoint written. */
    INTERRUPTED(130),
    /** SIGTERM: the step was finished and a checkpoint written. */
    TERMINATED(143);

    private final int code;

    ExitCode(int code) {
        this.code = code;
    }

    /** The process exit status. */
    public int code() {
        return code;
    }
}
