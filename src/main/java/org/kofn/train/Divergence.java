package org.kofn.train;

import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;

/** Finds where a loss that is not a number came from. */
final class Divergence {
    private Divergence() {}

    /**
     * The error for a step whose loss is {@code loss}: names the first parameter, in network order, that is not finite.
     */
    static KofnException at(long step, double loss, Workbench bench) {
        String culprit = culprit(bench.compression().masters(), "weights")
                + (bench.compression().method() == null
                        ? ""
                        : culprit(bench.compression().method().logits(), "logits"));
        String where = culprit.isEmpty()
                ? "all weights are still finite, so the logits of the network overflowed"
                : "first not finite:" + culprit;
        return KofnException.diverged(
                "step %d: the loss is %s; %s. Lower the learning rate or add warm-up; the last good checkpoint is kept"
                        + " (--resume continues from it)",
                step, loss, where);
    }

    private static String culprit(Map<String, Tensor> tensors, String what) {
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            return tensors.entrySet().stream()
                    .filter(entry -> !entry.getValue().isfinite().all().item_bool())
                    .findFirst()
                    .map(entry -> " " + what + " of " + entry.getKey())
                    .orElse("");
        }
    }
}
