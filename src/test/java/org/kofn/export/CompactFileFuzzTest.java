package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.nn.Shape;
import org.kofn.torch.Tensors;

/**
 * Damaged compact files, from the bytes to the class scores: each is refused in one line that names it, or loads and
 * runs in the sparse runtime.
 */
class CompactFileFuzzTest {
    @TempDir
    static Path dir;

    private static List<byte[]> originals;

    @BeforeAll
    static void write() throws IOException {
        originals = List.of(
                Files.readAllBytes(Run.write(Files.createDirectory(dir.resolve("fp32")), "fp32")
                        .modelSafetensors()),
                Files.readAllBytes(Run.write(Files.createDirectory(dir.resolve("bf16")), "bf16")
                        .modelSafetensors()));
    }

    @Test
    void damageIsRefusedInOneLineOrRuns() throws IOException {
        fuzz(0, 2_000);
    }

    @Test
    @Tag("extended")
    void damageIsRefusedInOneLineOrRunsAtLength() throws IOException {
        System.out.println(fuzz(1_000_000, 120_000));
    }

    /** What it gave, in words. */
    private static String fuzz(long firstSeed, int count) throws IOException {
        Path file = dir.resolve("damaged.safetensors");
        Map<String, Integer> refusals = new TreeMap<>();
        int ran = 0;
        for (long seed = firstSeed; seed < firstSeed + count; seed++) {
            byte[] original = originals.get((int) (seed % originals.size()));
            Files.write(file, new Mutations(original, new Random(seed)).next());
            try {
                String refusal = judge(file, seed % 3 == 0 ? 16 : 1);
                ran += refusal == null ? 1 : 0;
                if (refusal != null) {
                    refusals.merge(refusal, 1, Integer::sum);
                }
            } catch (RuntimeException | AssertionError | LinkageError | OutOfMemoryError e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
        assertThat(ran).as("files that ran").isBetween(count / 50, count / 2);
        assertThat(refusals.size()).as("kinds of refusals").isGreaterThan(25);
        return count + " mutations: " + ran + " ran, the others were refused, in " + refusals.size()
                + " kinds of lines";
    }

    /** The kind of refusal; null for a file that runs. */
    private static String judge(Path file, int batch) {
        try (PointerScope scope = new PointerScope();
                SparseModel model = SparseModel.open(file, 1)) {
            Shape input = model.network().input();
            Tensor images = torch.ones(batch, input.channels(), input.height(), input.width());
            Tensor logits = model.logits(images);
            assertThat(Tensors.shape(logits))
                    .containsExactly(batch, model.network().classes());
            return null;
        } catch (KofnException e) {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).startsWith(file + ": ");
            assertThat(e.getMessage().chars())
                    .as(e.getMessage())
                    .noneMatch(c -> Character.isISOControl(c) || c == '\u2028' || c == '\u2029');
            assertThat(e.getMessage()).hasSizeLessThan(1500);
            String text = e.getMessage().substring(file.toString().length());
            return text.replaceAll("tensor \\S+|'.*'|[\\d\\[\\]., -]+", " ");
        }
    }
}
