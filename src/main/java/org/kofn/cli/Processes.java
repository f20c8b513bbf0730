package org.kofn.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What other programs of the machine say, for {@code kofn doctor}. */
final class Processes {
    private Processes() {}

    /** The lines that a command prints; none where it is missing or fails. */
    static List<String> lines(String... command) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            process.getOutputStream().close();
            List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .toList();
            return process.waitFor() == 0 ? lines : List.of();
        } catch (IOException e) {
            return List.of();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of();
        }
    }
}
