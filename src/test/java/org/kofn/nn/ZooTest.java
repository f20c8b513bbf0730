package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.base.KofnException;

class ZooTest {
    /**
     * Published figures. Parameters: torchvision's documentation (ResNet-18, ResNet-50), Han et al. 2015 (266 k and 431
     * k for the LeNets), He et al. 2016 (0.27, 0.46 and 0.85 M without the projections). MACs: torchvision's GFLOPS
     * column for ImageNet; the others follow from the layers by hand.
     */
    @ParameterizedTest
    @CsvSource({
        "lenet-300-100, 1, 28, 10, 266610, 266200",
        "lenet-5, 1, 28, 10, 431080, 2293000",
        "digits-cnn, 1, 8, 10, 38282, 337536",
        "vgg16-bn, 3, 32, 10, 14728266, 313201664",
        "resnet-20, 3, 32, 10, 272474, 40813184",
        "resnet-32, 3, 32, 10, 466906, 69124736",
        "resnet-56, 3, 32, 10, 855770, 125747840",
        "resnet-18, 3, 224, 1000, 11689512, 1814073344",
        "resnet-18, 3, 32, 10, 11173962, 555422720",
        "resnet-50, 3, 224, 1000, 25557032, 4089184256",
        "resnet-50, 3, 32, 10, 23520842, 1297829888",
    })
    void parametersAndMacsAreThePublishedOnes(
            String model, int channels, int side, int classes, long parameters, long macs) {
        Network network = Zoo.build(model, new Shape(channels, side, side), classes);
        assertThat(Cost.parameters(network)).isEqualTo(parameters);
        assertThat(Cost.macs(network)).isEqualTo(macs);
    }

    @Test
    void vgg7HasTheSizesOfTheBinaryLiterature() {
        Network network = Zoo.build("vgg7", new Shape(3, 32, 32), 10);
        assertThat(network.weights().stream().map(w -> w.shape()[0]))
                .containsExactly(128L, 128L, 256L, 256L, 512L, 512L, 1024L, 10L);
        assertThat(network.layer("fc1").tensors().get(0).shape()).containsExactly(1024, 8192);
        assertThat(Cost.macs(network) / 1e9).isCloseTo(0.616, within(0.001));
    }

    @Test
    void theStemOfResNetDependsOnTheImage() {
        Network large = Zoo.build("resnet-18", new Shape(3, 65, 65), 10);
        Network small = Zoo.build("resnet-18", new Shape(3, 64, 64), 10);
        assertThat(large.layer("conv1").tensors().get(0).shape()).containsExactly(64, 3, 7, 7);
        assertThat(large.shapes().get("maxpool")).isEqualTo(new Shape(64, 17, 17));
        assertThat(small.layer("conv1").tensors().get(0).shape()).containsExactly(64, 3, 3, 3);
        assertThat(small.shapes()).doesNotContainKey("maxpool");
    }

    @Test
    void everyNameBuildsForCifar() {
        for (String name : Zoo.names()) {
            Network network = Zoo.build(name, new Shape(3, 32, 32), 100);
            assertThat(network.name()).isEqualTo(name);
            assertThat(network.weights()).isNotEmpty();
        }
    }

    @Test
    void costAddsUpByLayer() {
        Network network = Zoo.build("lenet-5", new Shape(1, 28, 28), 10);
        assertThat(Cost.of(network))
                .contains(
                        new Cost.LayerCost("conv2", "conv2d", 25_050, 1_600_000, new Shape(50, 8, 8)),
                        new Cost.LayerCost("pool2", "maxpool2d", 0, 0, new Shape(50, 4, 4)),
                        new Cost.LayerCost("fc1", "linear", 400_500, 400_000, new Shape(500, 1, 1)));
    }

    @Test
    void aMisspeltModelIsAnsweredWithTheNearest() {
        assertThatThrownBy(() -> Zoo.build("lenet5", new Shape(1, 28, 28), 10))
                .isInstanceOf(KofnException.class)
                .hasMessage("model 'lenet5' is not known; did you mean 'lenet-5'?");
    }

    @Test
    void imagesThatAreTooSmallNameTheLayer() {
        assertThatThrownBy(() -> Zoo.build("lenet-5", new Shape(1, 8, 8), 10))
                .hasMessage(
                        "model lenet-5, images of 1x8x8: layer conv2: a 5x5 window does not fit an image of 20x2x2");
        assertThatThrownBy(() -> Zoo.build("vgg16-bn", new Shape(3, 28, 28), 10))
                .hasMessageContaining("layer features.43: a 2x2 window does not fit an image of 512x1x1");
    }
}
