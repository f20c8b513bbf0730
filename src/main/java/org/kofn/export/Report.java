package org.kofn.export;

import java.util.List;

/**
 * What {@link Verifier} found.
 *
 * @param checks in the order they were made
 * @param layers a row a pruned layer; empty when the compact file cannot be read
 */
public record Report(List<Check> checks, List<LayerRow> layers) {
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
