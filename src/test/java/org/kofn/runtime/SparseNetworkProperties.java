package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.kofn.kernels.Precision;

/** Random pruned networks in the sparse runtime: the scores of LibTorch's operations, whatever runs where. */
class SparseNetworkProperties {
    @Property(tries = 300)
    void sameScoresAsLibTorch(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 16) int layers,
            @ForAll @IntRange(min = 0, max = 4) int breakEven,
            @ForAll @IntRange(min = 1, max = 2) int threads) {
        Random random = new Random(seed);
        try (PointerScope scope = new PointerScope();
                Trained trained = RandomNetworks.trained(random, layers);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, threads, Dispatch.at(breakEven / 4.0))) {
            LibTorchExecutor oracle = new LibTorchExecutor(prepared.graph());
            for (int run = 0; run < 4; run++) {
                // The second inference of a size finds what the first one left in memory.
                int batch = run % 2 == 0 ? 1 + random.nextInt(3) : 14 + random.nextInt(20);
                for (int again = 0; again < 2; again++) {
                    Tensor images = trained.images(batch);
                    assertThat(Trained.error(sparse.forward(images), oracle.forward(images)))
                            .as("batch %d, run %d of %s", batch, again, sparse.layers(batch))
                            .isLessThan(1e-5);
                }
            }
        }
    }

    /**
     * In bf16, as far from fp32 as rounding explains: one draw of its errors is what it does to the same graph in
     * LibTorch's operations. Errors are parts of the largest score.
     */
    @Property(tries = 200)
    void inBf16AsFarFromFp32AsRoundingExplains(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 16) int layers,
            @ForAll @IntRange(min = 0, max = 4) int breakEven) {
        Random random = new Random(seed);
        try (PointerScope scope = new PointerScope();
                Trained trained = RandomNetworks.trained(random, layers);
                PreparedNetwork prepared = trained.prepare(Precision.BF16);
                SparseNetwork sparse = new SparseNetwork(prepared, 2, Dispatch.at(breakEven / 4.0))) {
            LibTorchExecutor oracle = new LibTorchExecutor(prepared.graph());
            for (int batch : new int[] {1 + random.nextInt(3), 14 + random.nextInt(20)}) {
                Tensor images = trained.images(batch);
                Tensor expected = oracle.forward(images);
                double rounding = Trained.error(Rounded.scores(prepared.graph(), images), expected);
                for (int again = 0; again < 2; again++) {
                    assertThat(Trained.error(sparse.forward(images), expected))
                            .as("batch %d of %s", batch, sparse.layers(batch))
                            .isLessThan(8 * rounding + 0x1p-7);
                }
            }
        }
    }
}
