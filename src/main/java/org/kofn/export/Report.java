package org.kofn.export;

import java.util.List;
import org.kofn.runtime.Removal;

/**
 * What {@link Verifier} found.
 *
 * @param checks in the order they were made
 * @param layers a row a pruned layer; empty when the compact file cannot be read
 * @param sparse the sparse runtime beside the module; null when one of them does not run
 */
public record Report(List<Check> checks, List<LayerRow> layers, Sparse sparse) {
    /** How a check ended. */
    public enum Outcome {
        /** It holds. */
        PASSED,
        /** It does not. */
        FAILED,
        /** It could not be made; the detail says why. */
        SKIPPED
    }

    /**
     * One check.
     *
     * @param name what is claimed, such as {@code exactly k of n}
     * @param detail numbers, or what is wrong, in one line
     */
    public record Check(String name, Outcome outcome, String detail) {
        /** Whether the claim was not refuted: a check that was skipped does not fail a run. */
        public boolean passed() {
            return outcome != Outcome.FAILED;
        }
    }

    /**
     * One pruned layer.
     *
     * @param name its parameter, such as {@code conv2.weight}
     * @param elements weights that one candidate stands for
     * @param zeros kept weights that are zero all the same
     * @param bytesDense bytes of the weight, stored plain
     * @param bytesCompact bytes of kept values and mask
     */
    public record LayerRow(
            String name,
            String granularity,
            long groups,
            long n,
            long k,
            int share,
            long elements,
            long zeros,
            long bytesDense,
            long bytesCompact) {
        /** The kept part, k/n. */
        public double density() {
            return (double) k / n;
        }
    }

    /**
     * The logits of the sparse runtime beside those of the dense module with the same weights, both in fp32.
     *
     * @param images how many were compared
     * @param largestError the largest absolute difference of two logits
     * @param bound what it may be: {@link RuntimeCheck}
     * @param sparseRounding the largest difference of the sparse runtime from double precision
     * @param denseRounding likewise, of the module
     * @param sameClass images of which the largest logit is the same one
     */
    public record Comparison(
            long images,
            double largestError,
            double bound,
            double sparseRounding,
            double denseRounding,
            long sameClass) {}

    /**
     * The sparse runtime beside the dense module: what it computes, how fast, and with how much.
     *
     * @param nativeKernels whether they ran; otherwise LibTorch's operations did
     * @param kernels what ran, or why it was not the native kernels
     * @param random on random images
     * @param test on images of the test set; null without one
     * @param bytesCompact of {@code model.safetensors}
     * @param bytesDense of all tensors, stored plain
     * @param sparseMs milliseconds for one image, measured here: a median
     * @param denseMs likewise, of the module in TorchScript
     * @param runs how many of each were measured, in turn
     * @param threads that both used
     * @param layers what computed each layer for one image
     * @param removals the layers that lost feature maps, or had to keep dropped ones
     */
    public record Sparse(
            boolean nativeKernels,
            String kernels,
            Comparison random,
            Comparison test,
            long bytesCompact,
            long bytesDense,
            double sparseMs,
            double denseMs,
            int runs,
            int threads,
            List<String> layers,
            List<Removal> removals) {
        /** Copies the lists. */
        public Sparse {
            layers = List.copyOf(layers);
            removals = List.copyOf(removals);
        }
    }

    /** Copies the lists. */
    public Report {
        checks = List.copyOf(checks);
        layers = List.copyOf(layers);
    }

    /** Whether no check failed. */
    public boolean passed() {
        return checks.stream().allMatch(Check::passed);
    }
}
