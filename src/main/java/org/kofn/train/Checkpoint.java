package org.kofn.train;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.torch.Safetensors;

/**
 * Everything a run is at a step: masters, buffers, logits, masks, the optimisers' state, the position and the sums of
 * the current epoch. Random numbers need no state: all are functions of (seed, position). One safetensors file.
 *
 * @param tensors by name, the kind before a slash: {@code master/conv1.weight}, {@code logits/conv1}
 * @param metadata position and recipe, as strings
 */
record Checkpoint(Map<String, Tensor> tensors, Map<String, String> metadata) {
    static final String MASTER = "master/";
    static final String BUFFER = "buffer/";
    static final String LOGITS = "logits/";
    static final String MASK = "mask/";
    static final String FROZEN = "frozen/";

    private static final String FORMAT = "kofn-checkpoint-1";

    /** An empty checkpoint of a recipe. */
    static Checkpoint of(String recipe) {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", FORMAT);
        metadata.put("recipe", recipe);
        return new Checkpoint(new LinkedHashMap<>(), metadata);
    }

    /** Reads a checkpoint; a file that is none is refused with one line. */
    static Checkpoint read(Path file) {
        Safetensors content = Safetensors.read(file);
        if (!FORMAT.equals(content.metadata().get("format"))) {
            throw KofnException.file("%s: is no checkpoint of this version of kofn", file);
        }
        return new Checkpoint(content.tensors(), content.metadata());
    }

    void write(Path file) {
        Safetensors.write(file, tensors, metadata);
    }

    /** Adds tensors under a kind. */
    void put(String kind, Map<String, Tensor> values) {
        values.forEach((name, tensor) -> tensors.put(kind + name, tensor));
    }

    /** Copies the tensors of a kind into existing ones of the same names. */
    void restore(String kind, Map<String, Tensor> into) {
        try (NoGradGuard guard = new NoGradGuard()) {
            into.forEach((name, tensor) -> tensor.copy_(tensor(kind + name)));
        }
    }

    /** A tensor that must be there. */
    Tensor tensor(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw KofnException.file("checkpoint: '%s' is missing; it belongs to another network", name);
        }
        return tensor;
    }

    long number(String name) {
        return Long.parseLong(metadata.get(name));
    }
}
