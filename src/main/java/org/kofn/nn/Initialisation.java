package org.kofn.nn;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * How fresh parameters are drawn. Every scheme sets batch norms to scale 1 and shift 0, and differs in convolutions and
 * linear layers. fan-in is the number of weights that feed one output, fan-out the output channels times the pixels of
 * the kernel. Sources: {@code reset_parameters} of PyTorch's {@code nn.Conv2d} and {@code nn.Linear}, the constructors
 * of torchvision's {@code ResNet} and {@code VGG}; He, Zhang, Ren and Sun, "Delving deep into rectifiers" (ICCV 2015).
 */
public enum Initialisation {
    /** PyTorch's defaults: weights and biases uniform in ±1/√fan-in, which is Kaiming's with a = √5. */
    PYTORCH,
    /** torchvision's ResNet: convolutions normal with variance 2/fan-out; biases and linear layers as PyTorch's. */
    TORCHVISION_RESNET,
    /** torchvision's VGG: convolutions normal with variance 2/fan-out, linear layers N(0, 0.01²), biases 0. */
    TORCHVISION_VGG;

    /**
     * Fills a tensor that {@code layer} holds.
     *
     * @param tensor CPU, of the shape of {@code spec}; must not require gradients
     * @param seed of a generator of its own: the same seed gives the same numbers
     */
    void fill(Tensor tensor, Layer layer, TensorSpec spec, long seed) {
        try (PointerScope scope = new PointerScope()) {
            if (layer instanceof Layer.BatchNorm2d) {
                boolean one = spec.name().equals("weight") || spec.name().equals("running_var");
                tensor.fill_(new Scalar(one ? 1 : 0));
                return;
            }
            Generator generator = torch.make_generator_cpu(seed);
            draw(tensor, layer, spec.name().equals("bias"), new GeneratorOptional(generator));
        }
    }

    private void draw(Tensor tensor, Layer layer, boolean bias, GeneratorOptional generator) {
        long[] weight = layer.tensors().get(0).shape();
        boolean convolution = layer instanceof Layer.Conv2d;
        long pixels = convolution ? weight[2] * weight[3] : 1;
        double bound = 1 / Math.sqrt(weight[1] * pixels);
        double he = Math.sqrt(2.0 / (weight[0] * pixels));
        if (this == TORCHVISION_VGG && bias) {
            tensor.zero_();
        } else if (this == TORCHVISION_VGG) {
            tensor.normal_(0, convolution ? he : 0.01, generator);
        } else if (this == TORCHVISION_RESNET && convolution && !bias) {
            tensor.normal_(0, he, generator);
        } else {
            tensor.uniform_(-bound, bound, generator);
        }
    }
}
