package org.kofn.bench;

import org.kofn.base.KofnException;

/**
 * How often a measurement is repeated.
 *
 * @param repeats so often; 0: as {@code seconds} say
 * @param seconds until so much time has passed, but at least {@link #LEAST} and at most {@link #MOST} times
 */
public record Effort(int repeats, double seconds) {
    /** Fewer make no median that means something. */
    static final int LEAST = 5;

    /** More make none better. */
    static final int MOST = 2000;

    /** The part of the time that is spent before anything counts. */
    private static final double WARM_UP = 0.1;

    /** Checks the ranges. */
    public Effort {
        if (repeats < 0) {
            throw KofnException.usage("--repeats: must not be negative, as %d is", repeats);
        }
        if (!(seconds > 0) || Double.isInfinite(seconds)) {
            throw KofnException.usage("--seconds: must be above 0, not %s", seconds);
        }
    }

    /** Whether more has to be done after so many rounds and seconds. */
    boolean isWanted(int rounds, double elapsed) {
        if (repeats > 0) {
            return rounds < repeats;
        }
        return rounds < LEAST || (rounds < MOST && elapsed < seconds);
    }

    /** Whether it is still cold: two rounds take memory and load code; where they are quick, some more follow. */
    boolean isCold(int rounds, double elapsed) {
        return rounds < 2 || (repeats == 0 && rounds < MOST && elapsed < WARM_UP * seconds);
    }
}
