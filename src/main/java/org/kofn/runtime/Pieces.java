package org.kofn.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs the pieces of a batch side by side. A thread that computes a whole piece meets the others only at the end, and
 * its core's cache holds what the layer before wrote; threads that share every layer wait for each other, and wake,
 * once a layer.
 */
final class Pieces implements AutoCloseable {
    private final ExecutorService workers;

    /** At most so many pieces at once, whoever asks. */
    Pieces(int threads) {
        this.workers = Executors.newFixedThreadPool(threads, task -> {
            Thread thread = new Thread(task, "kofn-piece");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * The results, in order, when all are there.
     *
     * @throws RuntimeException what the first piece that failed threw
     */
    <T> List<T> run(List<Callable<T>> pieces) {
        try {
            List<T> results = new ArrayList<>();
            for (Future<T> result : workers.invokeAll(pieces)) {
                results.add(result.get());
            }
            return results;
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(failed.getCause());
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while pieces of a batch were running", interrupted);
        }
    }

    /** The results of one after another in the caller's thread. */
    static <T> List<T> oneByOne(List<Callable<T>> pieces) {
        List<T> results = new ArrayList<>();
        for (Callable<T> piece : pieces) {
            try {
                results.add(piece.call());
            } catch (RuntimeException failed) {
                throw failed;
            } catch (Exception failed) {
                throw new IllegalStateException(failed);
            }
        }
        return results;
    }

    @Override
    public void close() {
        workers.shutdown();
    }
}
