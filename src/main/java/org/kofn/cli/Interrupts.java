package org.kofn.cli;

import java.util.concurrent.CountDownLatch;

/**
 * SIGINT and SIGTERM as polite requests, while this object is open. On such a signal Java runs its shutdown hooks and
 * then ends the process with 128 plus the signal's number, which are kofn's exit codes for it (130, 143). So a hook
 * that asks the work to stop, and waits until the command has finished and said so, is all that is needed.
 */
final class Interrupts implements AutoCloseable {
    private static final CountDownLatch FINISHED = new CountDownLatch(1);

    private final Thread hook;

    /** Has {@code request} run when the process is asked to end, which then waits for {@link #finished}. */
    Interrupts(Runnable request) {
        hook = new Thread(() -> await(request), "kofn-interrupt");
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** The work is over: a signal from now on ends the process at once. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process is ending already; the hook waits until the last line is printed.
        }
    }

    /** The command is over and has printed its last line: nothing holds the process any more. */
    static void finished() {
        FINISHED.countDown();
    }

    private static void await(Runnable request) {
        request.run();
        try {
            FINISHED.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
