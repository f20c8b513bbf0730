package org.kofn.compress;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Gradients;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.MaskedWeight;
import org.kofn.mask.MaskLayout;
import org.kofn.prune.PruneStep;
import org.kofn.prune.PruningMethod;
import org.kofn.torch.Tensors;

/**
 * The bridge between what is trained and what the network computes with. The network knows nothing of compression:
 * before a step, {@link #apply} writes effective weights into the module's tensors; after it, {@link #backward} turns
 * their gradients into those of the latent weights and logits.
 *
 * <pre>
 *   latent W, logits φ ──mask──▶ effective weight ──written into──▶ module parameter
 *        ▲                                                              │ forward, loss, backward
 *        └──────────── ∂L/∂W, ∂L/∂φ ◀──────────── ∂L/∂(effective) ◀─────┘
 * </pre>
 *
 * Masters are fp32 whatever the module's precision. A parameter that is neither pruned nor of another precision is its
 * own master, and no copy is made.
 */
public final class Compression {
    /** What the masks do. */
    public enum Mode {
        /** All candidates stay; the latent weights are trained as they are. */
        DENSE,
        /** The pruning method gives every step its mask. */
        PRUNE,
        /** The masks are fixed; only kept weights learn. */
        FROZEN
    }

    private static final Scalar ONE = Tensors.keep(new Scalar(1));

    /** An unpruned module tensor of lower precision, and its fp32 master. */
    private record Copy(Tensor module, Tensor master) {}

    private final Kernels kernels;
    private final Map<String, Tensor> module;
    private final List<Copy> copies = new ArrayList<>();

    private final Map<String, Tensor> masters = new LinkedHashMap<>();
    private final List<MaskedWeight> pruned;
    private final PruningMethod method;
    private Mode mode = Mode.DENSE;

    /**
     * Compression of a module.
     *
     * @param module the module's trainable parameters by name
     * @param pruned the pruned weights by parameter name, whose latent weights come from {@link #latent}
     * @param method the method that was made over the same weights; null when nothing is pruned
     */
    public Compression(
            Kernels kernels, Map<String, Tensor> module, Map<String, MaskedWeight> pruned, PruningMethod method) {
        this.kernels = kernels;
        this.module = module;
        this.pruned = List.copyOf(pruned.values());
        this.method = method;
        module.forEach((name, tensor) -> {
            MaskedWeight weight = pruned.get(name);
            Tensor master = weight != null ? weight.latent() : master(tensor);
            masters.put(name, master);
            if (weight == null && master != tensor) {
                copies.add(new Copy(tensor, master));
            }
        });
    }

    /** A pruned weight over a module's tensor: the latent weight starts as a copy of it, in fp32. */
    public static MaskedWeight latent(String layer, int index, MaskLayout layout, Tensor moduleTensor) {
        return new MaskedWeight(layer, index, layout, copyOf(moduleTensor), moduleTensor);
    }

    /** The trained tensors by parameter name: what an optimiser steps and a checkpoint holds. */
    public Map<String, Tensor> masters() {
        return masters;
    }

    /** The pruned weights in network order. */
    public List<MaskedWeight> pruned() {
        return pruned;
    }

    /** The pruning method, or null. */
    public PruningMethod method() {
        return method;
    }

    /** What the masks do at present. */
    public Mode mode() {
        return mode;
    }

    /** Enters a phase; {@link Mode#FROZEN} keeps the masks as they are: see {@link #freeze}. */
    public void mode(Mode next) {
        mode = next;
        if (mode == Mode.DENSE) {
            pruned.forEach(weight -> weight.mask().fill_(ONE));
        }
    }

    /** Writes every effective weight for a step; {@code step} may be null outside {@link Mode#PRUNE}. */
    public void apply(PruneStep step) {
        copyMasters();
        if (mode == Mode.PRUNE) {
            method.apply(step);
        } else {
            kernels.apply(pruned);
        }
    }

    /** Writes the masks that the method would keep for good, at the current k, and the effective weights under them. */
    public void freeze() {
        copyMasters();
        if (mode == Mode.PRUNE) {
            method.freeze();
        } else {
            kernels.apply(pruned);
        }
    }

    /** Takes last step's gradients away; called before each backward pass. */
    public void clearGradients() {
        module.values().forEach(Gradients::clear);
    }

    /** Turns the gradients of the module's tensors into those of the masters and logits. */
    public void backward() {
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            copies.forEach(
                    copy -> Gradients.set(copy.master(), copy.module().grad().to(ScalarType.Float)));
        }
        if (mode == Mode.PRUNE) {
            method.backward();
        } else {
            kernels.applyBackward(pruned, false);
            if (method != null) {
                method.logits().values().forEach(Gradients::clear);
            }
        }
    }

    private void copyMasters() {
        try (NoGradGuard guard = new NoGradGuard()) {
            copies.forEach(copy -> copy.module().copy_(copy.master()));
        }
    }

    private static Tensor master(Tensor moduleTensor) {
        return moduleTensor.scalar_type().intern() == ScalarType.Float ? moduleTensor : copyOf(moduleTensor);
    }

    private static Tensor copyOf(Tensor tensor) {
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            return Tensors.keep(tensor.detach().to(ScalarType.Float).clone());
        }
    }
}
