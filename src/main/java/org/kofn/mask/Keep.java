package org.kofn.mask;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kofn.base.KofnException;

/**
 * How many candidates of a group stay, as a recipe says it: {@code 8/64} (8 of 64 candidates; of 128 it is 16; what
 * does not come out even is refused), {@code 5%} (of whatever n is), {@code 2:4} (2 of every 4 consecutive input
 * channels) or {@code all}.
 *
 * @param text as written
 * @param k kept candidates; 0 for a percentage
 * @param n candidates; 0 for a percentage
 * @param fraction the kept part of a percentage; 0 otherwise
 */
public record Keep(String text, long k, long n, double fraction) {
    private static final Pattern FRACTION = Pattern.compile("(\\d{1,9})\\s*([/:])\\s*(\\d{1,9})");
    private static final Pattern PERCENT = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*%");

    /** Everything stays: the layer is dense. */
    public static final Keep ALL = new Keep("all", 0, 0, 1);

    /** Reads a budget; {@code where} is the recipe key, for errors. */
    public static Keep parse(String where, String text) {
        String trimmed = text.trim();
        if (trimmed.equals("all")) {
            return ALL;
        }
        Matcher fraction = FRACTION.matcher(trimmed);
        if (fraction.matches()) {
            long k = Long.parseLong(fraction.group(1));
            long n = Long.parseLong(fraction.group(3));
            if (k == 0) {
                throw KofnException.usage("%s: keep: %s keeps nothing; k must be at least 1", where, trimmed);
            }
            if (k > n) {
                throw KofnException.usage("%s: keep: %s keeps more than there are (k > n)", where, trimmed);
            }
            return new Keep(trimmed, k, n, 0);
        }
        Matcher percent = PERCENT.matcher(trimmed);
        if (percent.matches()) {
            double value = Double.parseDouble(percent.group(1));
            if (!(value > 0 && value <= 100)) {
                throw KofnException.usage("%s: keep: %s must lie above 0%% and at most at 100%%", where, trimmed);
            }
            return new Keep(trimmed, 0, 0, value / 100);
        }
        throw KofnException.usage("%s: keep: '%s' is not a budget; write 8/64, 5%%, 2:4 or all", where, trimmed);
    }

    /** Whether this is n:m, that is written with a colon. */
    public boolean isNOfM() {
        return text.contains(":");
    }

    /** Whether nothing is pruned. */
    public boolean isAll() {
        return this == ALL || text.equals("all");
    }

    /**
     * k for a group of {@code candidates}; a percentage is rounded to the nearest k, never to 0.
     *
     * @throws KofnException (usage) when the recipe's n is not the layer's
     */
    public long resolve(String layer, long candidates) {
        if (k == 0) {
            return Math.max(1, Math.round(fraction * candidates));
        }
        if (n != candidates && !text.contains(":")) {
            // 1/4 of 64 candidates is a fraction, 12/784 of 784 is exact: both are meant literally.
            if ((k * candidates) % n != 0) {
                throw KofnException.usage(
                        "layer %s: keep: %s does not come out even for its %d candidates; write k/%d or a percentage",
                        layer, text, candidates, candidates);
            }
            return k * candidates / n;
        }
        return k;
    }
}
