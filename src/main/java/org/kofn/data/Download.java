package org.kofn.data;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.kofn.base.KofnException;

/**
 * One HTTP transfer into a {@code .part} file, continuing what is there with a Range request (RFC 9110, section 14).
 */
final class Download {
    private static final Duration CONNECT = Duration.ofSeconds(20);

    private final FetchProgress progress;
    private final Duration stall;
    private final HttpClient client = HttpClient.newBuilder()
            .connectTimeout(CONNECT)
            .followRedirects(HttpClient.Redirect.NORMAL)
            .build();

    Download(FetchProgress progress, Duration stall) {
        this.progress = progress;
        this.stall = stall;
    }

    /** Bytes in a file; 0 if there is none. */
    static long size(Path file) {
        try {
            return Files.exists(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", file, Folders.reason(e));
        }
    }

    /**
     * Transfers what is missing of {@code file}.
     *
     * @return null when {@code part} has the right size now, otherwise what went wrong, in words
     * @throws KofnException (file) when {@code part} cannot be written
     */
    String transfer(RemoteFile file, URI mirror, Path part) throws InterruptedException {
        long have = size(part);
        if (have == file.bytes()) {
            return null;
        }
        if (have > file.bytes()) {
            Folders.delete(part);
            have = 0;
        }
        HttpRequest.Builder request = HttpRequest.newBuilder(mirror).timeout(stall);
        if (have > 0) {
            request.header("Range", "bytes=" + have + "-");
        }
        try {
            HttpResponse<InputStream> response =
                    client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream body = response.body()) {
                return switch (response.statusCode()) {
                    case 200 -> copy(file, body, part, 0);
                    case 206 -> {
                        String range =
                                response.headers().firstValue("Content-Range").orElse("");
                        yield range.startsWith("bytes " + have + "-")
                                ? copy(file, body, part, have)
                                : restart(part, "answers with another range than the one asked for");
                    }
                    case 416 -> restart(part, "HTTP 416");
                    default -> "HTTP " + response.statusCode();
                };
            }
        } catch (IOException e) {
            return reason(e);
        }
    }

    private String copy(RemoteFile file, InputStream body, Path part, long have) throws IOException {
        AtomicLong last = new AtomicLong(System.nanoTime());
        ScheduledThreadPoolExecutor watch = watch(body, last);
        long done = have;
        try (OutputStream out = open(part, have > 0)) {
            byte[] buffer = new byte[1 << 16];
            for (int read = body.read(buffer); read >= 0; read = body.read(buffer)) {
                last.set(System.nanoTime());
                done += read;
                if (done > file.bytes()) {
                    return restart(part, "sends more than the published " + file.bytes() + " bytes");
                }
                write(out, buffer, read, part);
                progress.bytes(file.name(), done, file.bytes());
            }
        } catch (IOException e) {
            return "stopped after " + done + " of " + file.bytes() + " bytes (" + reason(e) + ")";
        } finally {
            watch.shutdownNow();
        }
        return done == file.bytes() ? null : "stopped after " + done + " of " + file.bytes() + " bytes";
    }

    /** Closes a body from which nothing has come for too long, which ends the read that waits for it. */
    private ScheduledThreadPoolExecutor watch(InputStream body, AtomicLong last) {
        ScheduledThreadPoolExecutor watch = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "download-watch");
            thread.setDaemon(true);
            return thread;
        });
        long period = Math.max(1, stall.toMillis() / 4);
        watch.scheduleAtFixedRate(
                () -> {
                    if (System.nanoTime() - last.get() > stall.toNanos()) {
                        try {
                            body.close();
                        } catch (IOException e) {
                            // The read that this ends reports it.
                        }
                    }
                },
                period,
                period,
                TimeUnit.MILLISECONDS);
        return watch;
    }

    private static OutputStream open(Path part, boolean append) {
        try {
            return Files.newOutputStream(
                    part,
                    StandardOpenOption.CREATE,
                    append ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw unwritable(part, e);
        }
    }

    private static void write(OutputStream out, byte[] buffer, int length, Path part) {
        try {
            out.write(buffer, 0, length);
        } catch (IOException e) {
            throw unwritable(part, e);
        }
    }

    private static KofnException unwritable(Path part, IOException e) {
        return KofnException.file(e, "%s: cannot be written: %s", part, Folders.reason(e));
    }

    private static String restart(Path part, String reason) {
        Folders.delete(part);
        return reason;
    }

    private static String reason(IOException e) {
        if (e instanceof HttpConnectTimeoutException || e instanceof ConnectException) {
            return "no connection";
        }
        if (e instanceof HttpTimeoutException) {
            return "no answer";
        }
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }
}
