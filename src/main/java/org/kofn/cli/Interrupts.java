package org.kofn.cli;

import java.util.concurrent.CountDownLatch;

/**
 * SIGINT and SIGTERM as polite requests. On such a signal Java runs its shutdown hooks and then ends the process with 128
 * plus the signal's number, which are kofn's exit codes for it (130, 143). So a hook that asks the work to stop, and waits
 * until the command has finished and said so, is all that is needed.
 */
final class Interrupts {
    private static final CountDownLatch FINISHED = new CountDownLatch(1);

    private Interrupts() {}

    /** Has {@code request} run when the process is asked to end, which then waits for {@link #finished}. */
    static void onSignal(Runnable request) {
        Runtime.getRuntime().addShutdownHook(new Thread(
                () -> {
                    request.run();
                    try {
                        FINISHED.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                },
                "kofn-interrupt"));
    }

    /** The command is over and has printed its last line: nothing holds the process any more. */
    static void finished() {
        FINISHED.countDown();
    }
}
