package org.kofn.recipe;

import java.util.Collection;
import java.util.Locale;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;

/**
 * The checks that record constructors share. Every message starts with its key and a colon, {@code "rate: must be …"};
 * the {@link Binder} puts file, line and the path to the section in front.
 */
final class Check {
    private Check() {}

    /** An error about {@code key}. */
    static KofnException error(String key, String message, Object... args) {
        return KofnException.usage("%s", key + ": " + String.format(Locale.ROOT, message, args));
    }

    /** {@code value > 0}, and a number. */
    static void positive(String key, double value) {
        if (!(value > 0) || Double.isInfinite(value)) {
            throw error(key, "must be above 0, not %s", Numbers.text(value));
        }
    }

    /** {@code value >= least}, and a number. */
    static void atLeast(String key, double least, double value) {
        if (!(value >= least) || Double.isInfinite(value)) {
            throw error(key, "must be at least %s, not %s", Numbers.text(least), Numbers.text(value));
        }
    }

    /** {@code 0 <= value <= 1}. */
    static void fraction(String key, double value) {
        if (!(value >= 0 && value <= 1)) {
            throw error(key, "must lie between 0 and 1, not at %s", Numbers.text(value));
        }
    }

    /** {@code 0 <= value < 1}. */
    static void belowOne(String key, double value) {
        if (!(value >= 0 && value < 1)) {
            throw error(key, "must be at least 0 and below 1, not %s", Numbers.text(value));
        }
    }

    /** A name out of a known choice; {@code what} says what it names, as in "optimizer". */
    static void oneOf(String key, String what, String value, Collection<String> known) {
        if (!known.contains(value)) {
            String nearest = Suggest.nearest(String.valueOf(value), known)
                    .map(name -> "; did you mean '" + name + "'?")
                    .orElse(";");
            throw error(key, "unknown %s '%s'%s known: %s", what, value, nearest, String.join(", ", known));
        }
    }
}
