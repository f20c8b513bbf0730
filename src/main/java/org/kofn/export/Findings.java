package org.kofn.export;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.kofn.base.KofnException;
import org.kofn.export.Report.Check;
import org.kofn.export.Report.Outcome;

/** Collects the checks of a {@link Report}. */
final class Findings {
    private final List<Check> checks = new ArrayList<>();

    /** The checks so far. */
    List<Check> checks() {
        return checks;
    }

    /** A file that cannot be read refutes the claim that it is a model. */
    <T> T open(String name, Supplier<T> reader) {
        try {
            T content = reader.get();
            claim(name, null, "");
            return content;
        } catch (KofnException e) {
            claim(name, e.getMessage(), "");
            return null;
        }
    }

    /** Notes a check: failed with {@code wrong}, or, when that is null, passed with {@code detail}. */
    void claim(String name, String wrong, String detail) {
        checks.add(wrong == null ? new Check(name, Outcome.PASSED, detail) : new Check(name, Outcome.FAILED, wrong));
    }

    /** Notes that a check could not be made. */
    void skip(String name, String reason) {
        checks.add(new Check(name, Outcome.SKIPPED, reason));
    }
}
