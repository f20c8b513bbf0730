package org.kofn.recipe;

import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.assertj.core.api.AbstractStringAssert;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

/** What all refusals have in common: the exit code of a usage error and exactly one line. */
final class Refusals {
    private Refusals() {}

    /** The message of a usage error. */
    static AbstractStringAssert<?> assertRefused(ThrowingCallable call) {
        KofnException refusal = catchThrowableOfType(KofnException.class, call);
        Assertions.assertThat(refusal).as("a refusal").isNotNull();
        Assertions.assertThat(refusal.exitCode()).isEqualTo(ExitCode.USAGE);
        Assertions.assertThat(refusal.getMessage()).hasLineCount(1);
        return Assertions.assertThat(refusal.getMessage());
    }
}
