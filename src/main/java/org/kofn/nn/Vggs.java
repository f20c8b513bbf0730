package org.kofn.nn;

/** Plain stacks of 3x3 convolutions, after Simonyan and Zisserman, "Very deep convolutional networks" (ICLR 2015). */
final class Vggs {
    /** Output channels of torchvision's configuration D; 0 is a pooling layer. */
    private static final int[] SIXTEEN = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0};

    private Vggs() {}

    /**
     * VGG7, the network of the binary and ternary literature: 2x128, 2x256 and 2x512 feature maps, 1024 features, batch
     * norm before every rectifier. Courbariaux et al., "Binarized neural networks" (NIPS 2016); Li, Zhang and Liu,
     * "Ternary weight networks" (2016). Convolutions and the hidden layer have no bias: the batch norms shift.
     */
    static Network vgg7(String name, Shape input, int classes) {
        NetworkBuilder net = new NetworkBuilder(name, input, classes, Initialisation.TORCHVISION_RESNET);
        int layer = 1;
        for (int width = 128; width <= 512; width *= 2) {
            for (int i = 0; i < 2; i++, layer++) {
                net.conv("conv" + layer, width, 3, 1, 1).batchNorm("bn" + layer).relu("relu" + layer);
            }
            net.maxPool("pool" + layer / 2, 2, 2, 0);
        }
        return net.flatten("flatten")
                .linear("fc1", 1024)
                .batchNorm("bn7")
                .relu("relu7")
                .linearBias("fc2", classes)
                .build();
    }

    /**
     * VGG-16 with batch norm in the form customary on CIFAR: torchvision's {@code features}, under their names
     * ({@code features.0} …), then one linear layer {@code classifier} in place of ImageNet's three; 14,728,266
     * parameters for ten classes. The features halve the image five times, so it needs at least 32x32 pixels; what is
     * left of larger ones is averaged.
     */
    static Network vgg16(String name, Shape input, int classes) {
        NetworkBuilder net = new NetworkBuilder(name, input, classes, Initialisation.TORCHVISION_VGG);
        int index = 0;
        for (int width : SIXTEEN) {
            if (width == 0) {
                net.maxPool("features." + index++, 2, 2, 0);
            } else {
                net.convBias("features." + index++, width, 3, 1, 1)
                        .batchNorm("features." + index++)
                        .relu("features." + index++);
            }
        }
        return net.globalAverage("avgpool")
                .flatten("flatten")
                .linearBias("classifier", classes)
                .build();
    }
}
