package org.kofn.train;

import org.bytedeco.pytorch.Tensor;
import org.kofn.nn.ScriptModule;

/** How a step gets from images to scores, and from the loss to the gradients of the module's parameters. */
interface Pass {
    /**
     * The class scores of a batch, for {@link #backward} in the same {@code PointerScope}.
     *
     * @param images fp32 [N, C, H, W]
     * @return fp32 [N, classes], from which the loss is computed
     */
    Tensor forward(Tensor images);

    /** Leaves gradients in the parameters, which have none yet. */
    void backward(Tensor loss);

    /** The module as a whole, by LibTorch. */
    static Pass dense(ScriptModule module) {
        return new Pass() {
            @Override
            public Tensor forward(Tensor images) {
                return module.forward(images);
            }

            @Override
            public void backward(Tensor loss) {
                loss.backward();
            }
        };
    }
}
