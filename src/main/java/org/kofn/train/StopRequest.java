package org.kofn.train;

import java.util.concurrent.atomic.AtomicReference;
import org.kofn.base.ExitCode;

/**
 * Asks a running trainer to finish its step, write a checkpoint and stop; signal handlers call it from their thread.
 */
public final class StopRequest {
    private final AtomicReference<ExitCode> reason = new AtomicReference<>();

    /** Asks; the first reason counts. */
    public void request(ExitCode code) {
        reason.compareAndSet(null, code);
    }

    /** Why the run should stop, or null. */
    ExitCode reason() {
        return reason.get();
    }
}
