package org.kofn.export;

import java.nio.file.Path;
import java.util.List;
import org.kofn.base.KofnException;

/**
 * {@code summary.json}: what came out of a run, in numbers that scripts can compare.
 *
 * @param model the network, such as {@code lenet-5}
 * @param data the data set, such as {@code mnist}
 * @param method the pruning method; {@code dense} without one
 * @param testAccuracy fraction of the test set that is classified right
 * @param validationAccuracy of the same on the held-out part; null without one
 * @param testLoss mean cross entropy over the test set, in nats
 * @param testLogitsSha256 SHA-256 of the test set's logits: {@link TestLogits#sha256}
 * @param parametersTotal elements of all parameters
 * @param parametersKept the same without dropped weights
 * @param macsDense multiply-accumulates of one image, unpruned
 * @param macsKept those whose weight is kept
 * @param bytesDense bytes of all parameters and buffers, stored plain
 * @param bytesCompact bytes of {@code model.safetensors}
 * @param seconds wall-clock time of the run, with all its resumed parts
 * @param layers the layers that have weights, in forward order
 */
public record Summary(
        String model,
        String data,
        String method,
        double testAccuracy,
        Double validationAccuracy,
        double testLoss,
        String testLogitsSha256,
        long parametersTotal,
        long parametersKept,
        long macsDense,
        long macsKept,
        long bytesDense,
        long bytesCompact,
        double seconds,
        List<LayerSummary> layers) {

    /** Copies the list. */
    public Summary {
        layers = layers == null ? List.of() : List.copyOf(layers);
    }

    /** Writes {@code summary.json}. */
    public void write(Path file) {
        JsonFile.write(file, this);
    }

    /**
     * Reads {@code summary.json}.
     *
     * @throws KofnException (file) when it is missing, no JSON, or lacks a key
     */
    public static Summary read(Path file) {
        return JsonFile.read(file, Summary.class);
    }
}
