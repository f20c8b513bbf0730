package org.kofn.runtime;

import java.util.List;

/**
 * One call of a batch's plan.
 *
 * @param op the operation that it is part of
 * @param kernel what runs, for reports; null for a change of layout
 * @param reads the memory that it reads
 * @param writes the memory that it writes
 * @param inPlace which of {@code reads} may be the memory that it writes; null for none
 * @param workspace bytes of scratch memory that it needs
 * @param call what it does
 */
record Step(Op op, String kernel, List<Buffer> reads, Buffer writes, Buffer inPlace, long workspace, Call call) {
    /** Does it in a workspace. */
    @FunctionalInterface
    interface Call {
        void run(Workspace workspace);
    }
}
