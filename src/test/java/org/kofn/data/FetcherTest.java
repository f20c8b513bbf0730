package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.random;
import static org.kofn.data.TestFiles.write;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

/** Against a server on the loopback interface. */
class FetcherTest {
    private static final byte[] CONTENT = random(300_000, 11);

    @TempDir
    private Path dir;

    private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
    private final List<String> messages = new ArrayList<>();
    private final CountDownLatch released = new CountDownLatch(1);
    private long lastDone;
    private HttpServer server;
    private ExecutorService threads;

    private final FetchProgress progress = new FetchProgress() {
        @Override
        public void bytes(String file, long done, long total) {
            assertThat(file).isEqualTo("file.bin");
            assertThat(total).isEqualTo(CONTENT.length);
            lastDone = done;
        }

        @Override
        public void message(String line) {
            messages.add(line);
        }
    };

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        threads = Executors.newCachedThreadPool();
        server.setExecutor(threads);
        serve("/whole", exchange -> send(exchange, 200, CONTENT, CONTENT.length));
        serve("/ranges", FetcherTest::sendRange);
        serve("/none", exchange -> send(exchange, 404, new byte[0], 0));
        serve("/bad", exchange -> send(exchange, 200, random(CONTENT.length, 12), CONTENT.length));
        serve("/long", exchange -> send(exchange, 200, random(CONTENT.length + 1, 12), CONTENT.length + 1));
        serve("/cut", exchange -> send(exchange, 200, Arrays.copyOf(CONTENT, 100_000), CONTENT.length));
        serve("/stalls", exchange -> {
            exchange.sendResponseHeaders(200, CONTENT.length);
            exchange.getResponseBody().write(CONTENT, 0, 1000);
            exchange.getResponseBody().flush();
            await();
        });
        server.start();
    }

    @AfterEach
    void stop() {
        released.countDown();
        server.stop(0);
        threads.shutdownNow();
    }

    private void await() {
        try {
            released.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve(String path, HttpHandler handler) {
        server.createContext(path, exchange -> {
            String range = exchange.getRequestHeaders().getFirst("Range");
            requests.add(range == null ? path : path + " " + range);
            try (exchange) {
                handler.handle(exchange);
            }
        });
    }

    private static void send(HttpExchange exchange, int status, byte[] body, long length) throws IOException {
        exchange.sendResponseHeaders(status, length == 0 ? -1 : length);
        if (length > 0) {
            exchange.getResponseBody().write(body);
        }
    }

    private static void sendRange(HttpExchange exchange) throws IOException {
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = range == null ? 0 : Integer.parseInt(range.replaceAll("bytes=(\\d+)-", "$1"));
        if (from > 0) {
            String all = "bytes " + from + "-" + (CONTENT.length - 1) + "/" + CONTENT.length;
            exchange.getResponseHeaders().set("Content-Range", all);
        }
        byte[] rest = Arrays.copyOfRange(CONTENT, from, CONTENT.length);
        send(exchange, from > 0 ? 206 : 200, rest, rest.length);
    }

    private URI uri(String path) {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
    }

    private static String sha256(byte[] content) {
        return "sha256:" + HexFormat.of().formatHex(Digest.newDigest("sha256").digest(content));
    }

    private void fetch(String... mirrors) {
        List<URI> uris = Arrays.stream(mirrors).map(this::uri).toList();
        RemoteFile file = new RemoteFile("file.bin", CONTENT.length, Digest.parse(sha256(CONTENT)), uris);
        new Fetcher(progress, Duration.ofMillis(600)).fetch("mnist", List.of(file), dir);
    }

    private void expectWhole() {
        assertThat(dir.resolve("file.bin")).hasBinaryContent(CONTENT);
        assertThat(dir.resolve("file.bin.part")).doesNotExist();
    }

    private void expectNothing() {
        assertThat(dir.resolve("file.bin")).doesNotExist();
        assertThat(dir.resolve("file.bin.part")).doesNotExist();
    }

    @Test
    void downloads() {
        fetch("/whole");
        expectWhole();
        assertThat(lastDone).isEqualTo(CONTENT.length);
        fetch("/whole");
        assertThat(requests).hasSize(1);
        assertThat(messages).containsExactly("file.bin is already in " + dir);
    }

    @Test
    void replacesAFileThatIsNotThePublishedOne() {
        write(dir.resolve("file.bin"), new byte[] {1});
        fetch("/whole");
        expectWhole();
    }

    @Test
    void continuesWhatIsThere() {
        write(dir.resolve("file.bin.part"), Arrays.copyOf(CONTENT, 123_456));
        fetch("/ranges");
        expectWhole();
        assertThat(requests).containsExactly("/ranges bytes=123456-");
    }

    @Test
    void startsAgainWhereTheServerKnowsNoRanges() {
        write(dir.resolve("file.bin.part"), Arrays.copyOf(CONTENT, 123_456));
        fetch("/whole");
        expectWhole();
        assertThat(requests).containsExactly("/whole bytes=123456-");
    }

    @Test
    void startsAgainWhenTheOldPieceWasWrong() {
        write(dir.resolve("file.bin.part"), random(123_456, 5));
        fetch("/ranges");
        expectWhole();
        assertThat(requests).containsExactly("/ranges bytes=123456-", "/ranges");
    }

    @Test
    void finishesAWholePieceWithoutAsking() {
        write(dir.resolve("file.bin.part"), CONTENT);
        fetch("/whole");
        expectWhole();
        assertThat(requests).isEmpty();
    }

    @Test
    void wrongChecksumIsRefusedAndRemoved() {
        String actual = sha256(random(CONTENT.length, 12));
        assertFileError(
                () -> fetch("/bad"),
                "mnist: file.bin could not be downloaded",
                "wrong checksum: expected " + sha256(CONTENT) + ", got " + actual,
                "kofn data import mnist --from DIR");
        expectNothing();
    }

    @Test
    void theNextMirrorIsTried() {
        fetch("/none", "/bad", "/whole");
        expectWhole();
        assertThat(requests).containsExactly("/none", "/bad", "/whole");
        assertThat(messages).hasSize(2);
        assertThat(messages.get(0)).endsWith("HTTP 404");
        assertThat(messages.get(1)).contains("wrong checksum");
    }

    @Test
    void theNextMirrorContinuesATruncatedBody() {
        fetch("/cut", "/ranges");
        expectWhole();
        assertThat(requests).startsWith("/cut", "/cut bytes=100000-").endsWith("/ranges bytes=100000-");
    }

    @Test
    void oneLineWhenAllFail() {
        assertFileError(
                () -> fetch("/none", "/cut"), "HTTP 404; ", "stopped after 100000 of 300000 bytes", "try again");
        assertThat(dir.resolve("file.bin")).doesNotExist();
        assertThat(dir.resolve("file.bin.part")).hasSize(100_000);
    }

    @Test
    void moreThanThePublishedSize() {
        assertFileError(() -> fetch("/long"), "sends more than the published 300000 bytes");
        expectNothing();
    }

    @Test
    void aSilentServerIsLeft() {
        fetch("/stalls", "/ranges");
        expectWhole();
        assertThat(messages).singleElement().asString().contains("stopped after 1000 of 300000 bytes");
    }

    @Test
    void noServer() {
        server.stop(0);
        assertFileError(() -> fetch("/whole"), "127.0.0.1:", "no connection");
    }

    @Test
    void interrupted() {
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> fetch("/whole"))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.INTERRUPTED));
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void aSetThatIsThereIsLeftAlone() {
        TestFiles.mnist(dir.resolve("mnist"), 2, 2);
        Path folder = new Fetcher(progress).fetch("mnist", dir);
        assertThat(folder).isEqualTo(dir.resolve("mnist"));
        assertThat(messages).containsExactly("mnist is already in " + folder);
    }

    @Test
    void everyPublishedFileHasAMirrorAndAChecksum() {
        assertThat(DataSpec.known().values())
                .allSatisfy(spec -> assertThat(spec.files()).isNotEmpty().allSatisfy(file -> {
                    assertThat(file.digest().algorithm()).isEqualTo("sha256");
                    assertThat(file.mirrors())
                            .allSatisfy(uri -> assertThat(uri.getScheme()).startsWith("http"));
                }));
    }

    @Test
    void md5IsUnderstoodToo() {
        Path file = write(dir.resolve("abc"), "abc".getBytes());
        assertThat(Digest.parse("md5:" + "0".repeat(32)).of(file)).hasToString("md5:900150983cd24fb0d6963f7d28e17f72");
        assertThatThrownBy(() -> Digest.parse("sha256:abc")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Digest.parse("crc:00")).isInstanceOf(IllegalArgumentException.class);
    }
}
