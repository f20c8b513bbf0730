package org.kofn.nn;

/**
 * The small classics, for digits. LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
 * recognition" (Proc. IEEE 1998), in the forms that the pruning literature uses since Han et al. (NIPS 2015).
 */
final class LeNets {
    private LeNets() {}

    /** LeNet-300-100: two hidden layers; 266,610 parameters on 28x28 pixels. */
    static Network lenet300(String name, Shape input, int classes) {
        return new NetworkBuilder(name, input, classes, Initialisation.PYTORCH)
                .flatten("flatten")
                .linearBias("fc1", 300)
                .relu("relu1")
                .linearBias("fc2", 100)
                .relu("relu2")
                .linearBias("fc3", classes)
                .build();
    }

    /**
     * LeNet-5 as Caffe has it, 20-50-500 with unpadded 5x5 convolutions, and a rectifier after each of them, which
     * Caffe's has not; 431,080 parameters on 28x28 pixels.
     */
    static Network lenet5(String name, Shape input, int classes) {
        return new NetworkBuilder(name, input, classes, Initialisation.PYTORCH)
                .convBias("conv1", 20, 5, 1, 0)
                .relu("relu1")
                .maxPool("pool1", 2, 2, 0)
                .convBias("conv2", 50, 5, 1, 0)
                .relu("relu2")
                .maxPool("pool2", 2, 2, 0)
                .flatten("flatten")
                .linearBias("fc1", 500)
                .relu("relu3")
                .linearBias("fc2", classes)
                .build();
    }

    /** A small network of ours for the embedded digits of 8x8 pixels: 16-32 feature maps, 64 features. */
    static Network digits(String name, Shape input, int classes) {
        return new NetworkBuilder(name, input, classes, Initialisation.PYTORCH)
                .convBias("conv1", 16, 3, 1, 1)
                .relu("relu1")
                .convBias("conv2", 32, 3, 1, 1)
                .relu("relu2")
                .maxPool("pool", 2, 2, 0)
                .flatten("flatten")
                .linearBias("fc1", 64)
                .relu("relu3")
                .linearBias("fc2", classes)
                .build();
    }
}
