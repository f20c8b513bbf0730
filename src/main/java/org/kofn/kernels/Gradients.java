package org.kofn.kernels;

import org.bytedeco.pytorch.Tensor;

/** Gradients that are set by hand, for tensors that autograd does not see. */
public final class Gradients {
    private Gradients() {}

    /** Makes {@code gradient} the gradient of {@code tensor}; no copy. */
    public static void set(Tensor tensor, Tensor gradient) {
        tensor.mutable_grad().put(gradient);
    }

    /** Takes the gradient away: an optimiser then leaves the tensor as it is. */
    public static void clear(Tensor tensor) {
        try (Tensor none = new Tensor()) {
            tensor.mutable_grad().put(none);
        }
    }
}
