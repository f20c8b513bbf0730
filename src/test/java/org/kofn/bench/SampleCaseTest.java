package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.Keep;
import org.kofn.nn.Cost;
import org.kofn.nn.Zoo;

class SampleCaseTest {
    private static final Keep TENTH = Keep.parse("--keep", "10%");

    private static SampleCase network(String name, String unit) {
        return SampleCase.ofNetwork(name, Unit.parse("--granularity", unit), TENTH)
                .orElseThrow();
    }

    @Test
    void kernelsOfSpatialConvolutionsAndWeightsOfTheRest() {
        SampleCase lenet = network("lenet-5", "kernel");
        assertThat(lenet.name()).isEqualTo("lenet-5/kernel");
        assertThat(lenet.layers())
                .extracting(layer -> layer.layer() + " " + layer.layout() + " " + layer.k())
                .containsExactly(
                        "conv1 kernel [20 groups, 1 candidates, 25 elements] 1",
                        "conv2 kernel [50 groups, 20 candidates, 25 elements] 2",
                        "fc1 weight [500 groups, 800 candidates, 1 elements] 80",
                        "fc2 weight [10 groups, 500 candidates, 1 elements] 50");
        assertThat(network("resnet-50", "kernel").layers())
                .filteredOn(layer ->
                        layer.layer().endsWith("conv3") || layer.layer().contains("downsample"))
                .hasSize(20)
                .allMatch(layer -> layer.layout().granularity() == Granularity.WEIGHT);
    }

    @Test
    void otherGranularitiesFallBackToWeightsWhereTheyMust() {
        assertThat(network("resnet-20", "2:4").layers())
                .allSatisfy(layer -> assertThat(layer.layout().candidates())
                        .isEqualTo(layer.layer().equals("conv1") ? 27 : 4))
                .filteredOn(layer -> layer.layout().granularity() == Granularity.N_M)
                .allMatch(layer -> layer.k() == 2);
        assertThat(network("lenet-300-100", "filter").layers())
                .extracting(layer -> layer.layout().groups())
                .containsOnly(1L);
    }

    @Test
    void aCaseThatWouldBeThatOfWeightsIsNone() {
        assertThat(SampleCase.ofNetwork("lenet-300-100", Unit.parse("--granularity", "kernel"), TENTH))
                .isEmpty();
    }

    @Test
    void everyNetworkHasAllItsWeights() {
        for (String name : Zoo.names()) {
            long weights = ZooInput.network(name).weights().stream()
                    .mapToLong(weight -> {
                        long product = 1;
                        for (long size : weight.shape()) {
                            product *= size;
                        }
                        return product;
                    })
                    .sum();
            assertThat(network(name, "weight").candidates()).as(name).isEqualTo(weights);
            assertThat(network(name, "weight").weights()).isEqualTo(weights);
            assertThat(weights).isLessThan(Cost.parameters(ZooInput.network(name)));
        }
    }

    /** The kernels of VGG16's convolutions, 1.63 million, at the figures of gumbel_topk.h. */
    @Test
    void bytesAreThoseOfTheFloor() {
        SampleCase shape = SampleCase.ofShape("512x300x9", Keep.parse("--keep", "30/300"));
        double n = 512 * 300;
        assertThat(shape.candidates()).isEqualTo(512 * 300);
        assertThat(shape.weights()).isEqualTo(512 * 300 * 9);
        assertThat(shape.forwardBytes()).isEqualTo(4 * n + 8 * 9 * n + n + n / 8 + 4 * 512 * 30);
        assertThat(shape.backwardBytes()).isEqualTo(4 * n + 8 * 9 * n + 4 * n + 4 * 512 * 30);
        SampleCase vgg = network("vgg16-bn", "kernel");
        long convolutions = vgg.layers().stream()
                .filter(layer -> layer.layout().granularity() == Granularity.KERNEL)
                .mapToLong(SampleCase.Layer::candidates)
                .sum();
        assertThat(convolutions).isEqualTo(1_634_496);
    }

    @ParameterizedTest
    @CsvSource({
        "512x512x9, kernel, 512, 512, 9, 51",
        "512×512×9, kernel, 512, 512, 9, 51",
        "3x20x1, weight, 3, 20, 1, 2",
        "512x512x3x3/2:4, n:m, 589824, 4, 1, 2",
        "64x30/weight, weight, 64, 30, 1, 3",
        "20x10x5x5/filter, filter, 1, 20, 250, 2",
    })
    void shapes(String text, String granularity, long groups, long candidates, long elements, long k) {
        SampleCase shape = SampleCase.ofShape(text, TENTH);
        assertThat(shape.name()).isEqualTo(text);
        SampleCase.Layer layer = shape.layers().get(0);
        assertThat(layer.layout().granularity().label()).isEqualTo(granularity);
        assertThat(List.of(
                        layer.layout().groups(),
                        layer.layout().candidates(),
                        layer.layout().elements(),
                        layer.k()))
                .containsExactly(groups, candidates, elements, k);
    }

    @Test
    void theDefaultShapesAreShapes() {
        assertThat(SampleCase.SHAPES)
                .allSatisfy(text ->
                        assertThat(SampleCase.ofShape(text, TENTH).candidates()).isPositive());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "3x4           | --shapes: '3x4' is no shape; write groups, candidates and elements as in 512x512x9, or"
                        + " a weight's shape and a granularity as in 512x512x3x3/2:4",
                "0x4x1         | --shapes: '0x4x1' is no shape; write groups",
                "4x4x1x1       | --shapes: '4x4x1x1' is no shape; write groups",
                "4x4/kernle    | --shapes: 'kernle' is no granularity; did you mean 'kernel'?",
                "4x4/fancy     | --shapes: 'fancy' is no granularity; known: weight, kernel, filter, 2:4",
                "4x4x9/weight  | layer 4x4x9/weight: only weights with 2 or 4 axes can be pruned, this one has 3",
                "4x6x3x3/2:4   | layer 4x6x3x3/2:4: groups of 4 do not divide its 6 input channels",
                "99999x99999x9 | --shapes: 99999x99999x9 has more than 268 million weights; take fewer groups",
            })
    void whatIsNoShapeIsRefused(String text, String message) {
        assertThatThrownBy(() -> SampleCase.ofShape(text, TENTH))
                .isInstanceOf(KofnException.class)
                .hasMessageStartingWith(message);
    }
}
