package org.kofn.export;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.data.Augmentation;
import org.kofn.data.Batches;
import org.kofn.data.Dataset;
import org.kofn.nn.ScriptModule;
import org.kofn.torch.Tensors;

/**
 * What a module says about a data set. Trainer, {@code eval} and {@code verify} all ask here, in the data set's order
 * and in batches of one fixed size, because the rounding of a library's kernels may depend on the batch: only so can
 * they agree bit for bit.
 *
 * @param logits float32 [N, classes] on the CPU; outlives any {@code PointerScope}
 * @param accuracy fraction of samples whose largest logit is their label's
 * @param loss mean cross entropy in nats, summed in double precision
 */
public record TestLogits(Tensor logits, double accuracy, double loss) implements AutoCloseable {
    /** Samples in a batch of a module. */
    public static final int BATCH = 500;

    /**
     * Runs the module over the set. It is in evaluation mode afterwards.
     *
     * @param device where the module is; the data are moved there
     */
    public static TestLogits of(ScriptModule module, Dataset data, Device device) {
        module.train(false);
        return of(module::forward, data, device, BATCH);
    }

    /** Likewise, of a saved model. */
    public static TestLogits of(SavedModel model, Dataset data) {
        return of(model::logits, data, model.device(), model.batch());
    }

    private static TestLogits of(UnaryOperator<Tensor> forward, Dataset data, Device device, int batch) {
        List<Tensor> parts = new ArrayList<>();
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                Dataset here = data.to(device);
                Batches batches = new Batches(here, Augmentation.NONE, batch, 0, false)) {
            for (long index = 0; index < batches.perEpoch(); index++) {
                try (PointerScope step = new PointerScope()) {
                    Tensor images = batches.get(0, index).images();
                    parts.add(Tensors.keep(forward.apply(images).cpu().to(ScalarType.Float)));
                }
            }
            Tensor logits = torch.cat(new TensorVector(parts.toArray(Tensor[]::new)));
            Tensor labels = here.labels().cpu();
            Tensor right = logits.argmax(new LongOptional(1), false).eq(labels);
            double accuracy = right.sum().item_long() / (double) Math.max(1, labels.numel());
            Tensor likelihood = logits.to(ScalarType.Double).log_softmax(1).gather(1, labels.unsqueeze(1));
            return new TestLogits(
                    Tensors.keep(logits), accuracy, -likelihood.mean().item_double());
        } finally {
            parts.forEach(Tensor::close);
        }
    }

    /** SHA-256, in hexadecimal, of the logits as little-endian float32 in row-major order. */
    public String sha256() {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Tensors.bytes(logits));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        logits.close();
    }
}
