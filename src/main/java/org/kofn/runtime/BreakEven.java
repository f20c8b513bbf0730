package org.kofn.runtime;

import java.util.Locale;

/**
 * Up to which density the sparse kernel computes a layer faster than the dense operation does.
 *
 * @param density k/n; 0: never, 1: also when all is kept
 * @param source how that is known
 */
public record BreakEven(double density, String source) {
    /** Checks the range. */
    public BreakEven {
        if (!(density >= 0 && density <= 1)) {
            throw new IllegalArgumentException("a break-even density of " + density);
        }
    }

    /** Such as {@code break-even density 0.58 (measured)}. */
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "break-even density %.2f (%s)", density, source);
    }
}
