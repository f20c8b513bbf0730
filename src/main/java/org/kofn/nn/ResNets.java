package org.kofn.nn;

/**
 * Residual networks under torchvision's names. He, Zhang, Ren and Sun, "Deep residual learning for image recognition"
 * (CVPR 2016). Where a block changes the shape, its shortcut is a 1x1 convolution with batch norm (the paper's option
 * B; {@code downsample.0}, {@code downsample.1}), so that every layer is an ordinary one, also in the CIFAR networks.
 */
final class ResNets {
    /** Images with more pixels than this on a side get ImageNet's stem. */
    private static final int SMALL = 64;

    private ResNets() {}

    /**
     * ResNet-20, -32, -56 of the paper's CIFAR part: three stages of {@code blocks} basic blocks with 16, 32 and 64
     * feature maps; 272,474, 466,906 and 855,770 parameters (the paper's option A has 2,752 fewer).
     */
    static Network cifar(String name, Shape input, int classes, int blocks) {
        NetworkBuilder net = new NetworkBuilder(name, input, classes, Initialisation.TORCHVISION_RESNET);
        net.conv("conv1", 16, 3, 1, 1).batchNorm("bn1").relu("relu");
        stages(net, ResNets::basic, 16, blocks, blocks, blocks);
        return head(net, classes);
    }

    /**
     * ResNet-18. Images larger than 64 pixels get ImageNet's stem, a 7x7 convolution of stride 2 and a max pool
     * (11,689,512 parameters, 1.81 GMACs for 224x224 and 1,000 classes); smaller ones a 3x3 convolution of stride 1 and
     * no pool, as is customary on CIFAR (11,173,962 parameters for ten classes).
     */
    static Network resnet18(String name, Shape input, int classes) {
        NetworkBuilder net = stem(name, input, classes);
        stages(net, ResNets::basic, 64, 2, 2, 2, 2);
        return head(net, classes);
    }

    /**
     * ResNet-50 as torchvision has it, with the stride in the 3x3 convolution (25,557,032 parameters, 4.09 GMACs for
     * 224x224 and 1,000 classes); the stem as in {@link #resnet18}.
     */
    static Network resnet50(String name, Shape input, int classes) {
        NetworkBuilder net = stem(name, input, classes);
        stages(net, ResNets::bottleneck, 64, 3, 4, 6, 3);
        return head(net, classes);
    }

    /** Appends one residual block. */
    @FunctionalInterface
    private interface Block {
        void append(NetworkBuilder net, String name, int width, int stride);
    }

    /** Stages of {@code blocks} blocks; from the second on, each halves the image and doubles the width. */
    private static void stages(NetworkBuilder net, Block block, int width, int... blocks) {
        for (int stage = 0; stage < blocks.length; stage++) {
            for (int i = 0; i < blocks[stage]; i++) {
                block.append(net, "layer" + (stage + 1) + "." + i, width << stage, stage > 0 && i == 0 ? 2 : 1);
            }
        }
    }

    private static NetworkBuilder stem(String name, Shape input, int classes) {
        NetworkBuilder net = new NetworkBuilder(name, input, classes, Initialisation.TORCHVISION_RESNET);
        if (Math.max(input.height(), input.width()) > SMALL) {
            return net.conv("conv1", 64, 7, 2, 3).batchNorm("bn1").relu("relu").maxPool("maxpool", 3, 2, 1);
        }
        return net.conv("conv1", 64, 3, 1, 1).batchNorm("bn1").relu("relu");
    }

    private static Network head(NetworkBuilder net, int classes) {
        return net.globalAverage("avgpool")
                .flatten("flatten")
                .linearBias("fc", classes)
                .build();
    }

    /** Two 3x3 convolutions and the shortcut. */
    private static void basic(NetworkBuilder net, String block, int width, int stride) {
        String start = net.at();
        net.conv(block + ".conv1", width, 3, stride, 1)
                .batchNorm(block + ".bn1")
                .relu(block + ".relu1");
        net.conv(block + ".conv2", width, 3, 1, 1).batchNorm(block + ".bn2");
        join(net, block, start, stride);
    }

    /** 1x1 to {@code width} feature maps, 3x3, 1x1 to four times as many, and the shortcut. */
    private static void bottleneck(NetworkBuilder net, String block, int width, int stride) {
        String start = net.at();
        net.conv(block + ".conv1", width, 1, 1, 0).batchNorm(block + ".bn1").relu(block + ".relu1");
        net.conv(block + ".conv2", width, 3, stride, 1)
                .batchNorm(block + ".bn2")
                .relu(block + ".relu2");
        net.conv(block + ".conv3", 4 * width, 1, 1, 0).batchNorm(block + ".bn3");
        join(net, block, start, stride);
    }

    /** Adds the block's input, projected where the block changed its shape, and rectifies. */
    private static void join(NetworkBuilder net, String block, String start, int stride) {
        String main = net.at();
        int channels = net.shape().channels();
        net.from(start);
        if (stride != 1 || net.shape().channels() != channels) {
            net.conv(block + ".downsample.0", channels, 1, stride, 0).batchNorm(block + ".downsample.1");
        }
        String shortcut = net.at();
        net.from(main).add(block + ".add", shortcut).relu(block + ".relu");
    }
}
