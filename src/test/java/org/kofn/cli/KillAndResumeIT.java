package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL at random moments: what is resumed ends with the bits of a run that nobody disturbed. The long form, which
 * compares every tensor of the last checkpoint too, is {@code benchmarks/kill-and-resume.sh}.
 */
class KillAndResumeIT {
    private static final String RECIPE =
            """
            model: digits-cnn
            data: {name: digits, validation: 300, shift: 1}
            threads: 1
            device: cpu
            prune:
              layers:
                - {match: conv2, granularity: kernel, keep: {from: 4x, to: 1/4, over: 60%}}
                - {match: "fc*", keep: {from: 4x, to: 10%, over: 60%}}
            phases: [{phase: prune, epochs: 8}, {phase: finetune, epochs: 4}]
            checkpoint: {every-steps: 5}
            """;

    @TempDir
    private Path folder;

    @BeforeEach
    void recipe() throws IOException {
        Files.writeString(folder.resolve("recipe.yaml"), RECIPE);
    }

    @Test
    void killedThreeTimesEqualsUndisturbed() throws Exception {
        killAndCompare(3, 11);
    }

    @Test
    @Tag("extended")
    void killedTwentyTimesEqualsUndisturbed() throws Exception {
        killAndCompare(20, 12);
    }

    private void killAndCompare(int kills, long seed) throws Exception {
        assertThat(kofn("whole").waitFor()).isZero();
        Random random = new Random(seed);
        Process process = kofn("killed");
        for (int kill = 0; kill < kills; kill++) {
            // From before the first checkpoint to somewhere in training; a run that ends sooner resumes to the same
            // files.
            process.waitFor(500 + random.nextInt(2500), TimeUnit.MILLISECONDS);
            process.destroyForcibly().waitFor();
            boolean checkpoint = hasCheckpoint();
            process = kofn("killed", checkpoint ? "--resume" : "--force");
        }
        assertThat(process.waitFor()).isZero();
        for (String file : List.of("metrics.jsonl", "model.safetensors", "model.pt")) {
            assertThat(folder.resolve("killed").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("whole").resolve(file));
        }
    }

    private boolean hasCheckpoint() throws IOException {
        Path checkpoints = folder.resolve("killed/checkpoints");
        if (!Files.isDirectory(checkpoints)) {
            return false;
        }
        try (var files = Files.list(checkpoints)) {
            return files.anyMatch(file -> file.getFileName().toString().startsWith("last-"));
        }
    }

    /** Starts a training of its own process; no shell lies between, so that the signal meets Java. */
    private Process kofn(String out, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                "-cp",
                System.getProperty("java.class.path"),
                "org.kofn.cli.Main",
                "train",
                folder.resolve("recipe.yaml").toString(),
                "--quiet",
                "--out",
                folder.resolve(out).toString()));
        command.addAll(List.of(more));
        return new ProcessBuilder(command).inheritIO().start();
    }
}
