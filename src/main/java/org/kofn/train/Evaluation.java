package org.kofn.train;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.kofn.data.Batch;
import org.kofn.data.Batches;
import org.kofn.nn.ScriptModule;
import org.kofn.torch.Tensors;

/**
 * How good a module is on a set.
 *
 * @param accuracy fraction of images whose largest logit is at the label
 * @param loss mean cross-entropy, without label smoothing
 * @param count images
 * @param logitsSha256 over the raw fp32 logits in order: equal exactly when every logit is
 */
public record Evaluation(double accuracy, double loss, long count, String logitsSha256) {
    /** Images of an evaluation batch: one size everywhere, since summation order may depend on it. */
    public static final int BATCH = 500;

    private static final int SUM = 2; // at::Reduction::Sum

    /** Runs the module in evaluation mode over unshuffled batches. The module is left in that mode. */
    public static Evaluation of(ScriptModule module, Batches batches) {
        module.train(false);
        MessageDigest digest = sha256();
        double loss = 0;
        long correct = 0;
        long count = 0;
        try (NoGradGuard guard = new NoGradGuard()) {
            for (long b = 0; b < batches.perEpoch(); b++) {
                try (PointerScope scope = new PointerScope()) {
                    Batch batch = batches.get(0, b);
                    Tensor logits = module.forward(batch.images());
                    digest.update(Tensors.bytes(logits));
                    loss += torch.cross_entropy_loss(logits, batch.labels(), new TensorOptional(), SUM, -100, 0)
                            .item_double();
                    correct += logits.argmax(new org.bytedeco.pytorch.LongOptional(1), false)
                            .eq(batch.labels())
                            .sum()
                            .item_long();
                    count += batch.labels().numel();
                }
            }
        }
        return new Evaluation(
                (double) correct / count, loss / count, count, HexFormat.of().formatHex(digest.digest()));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
