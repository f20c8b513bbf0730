package org.kofn.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;

/**
 * 2,000 training steps must not grow native memory: less than 1 % of the resident set. The tests' Java heap is touched
 * as a whole at start-up, so that what grows is native.
 */
@EnabledOnOs(OS.LINUX)
class NativeMemoryIT {
    private static final int STEPS = 2000;

    @TempDir
    private Path folder;

    /** After so many steps as it takes until the JVM has compiled what a step calls: more of it in a sparse pass. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            2600 | {phase: prune, epochs: 22}
            3600 | {phase: prune, epochs: 1}, {phase: finetune, epochs: 25, convolutions: sparse}
            """)
    void twoThousandStepsGrowNativeMemoryByLessThanOnePercent(int warm, String phases) {
        Recipe recipe = RecipeReader.parse(
                """
                model: digits-cnn
                data: {name: digits, validation: 300, shift: 1}
                threads: 1
                device: cpu
                batch: 16
                prune:
                  layers:
                    - {match: conv2, granularity: kernel, keep: 1/4}
                    - {match: "fc*", keep: 5%}
                phases: [PHASES]
                """
                        .replace("PHASES", phases),
                "test",
                List.of(),
                1);
        long[] resident = new long[3];
        Trainer.run(new TrainRequest(
                recipe,
                folder.resolve("run"),
                false,
                false,
                "auto",
                new ProgressListener() {
                    @Override
                    public void step(Position position) {
                        long done = position.step() - warm;
                        if (done >= 0 && done % (STEPS / 2) == 0 && done <= STEPS) {
                            System.gc();
                            Pointer.trimMemory(); // what is free but kept by malloc comes and goes by 10 MB
                            resident[(int) (done / (STEPS / 2))] = residentKilobytes();
                        }
                    }
                },
                new StopRequest()));
        assertThat(resident[0]).isPositive();
        // A leak grows in both halves; what grows in one, compiled code say, is none.
        long growth = Math.min(resident[1] - resident[0], resident[2] - resident[1]);
        assertThat(growth).isLessThan(resident[0] / 200);
    }

    private static long residentKilobytes() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElseThrow();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
