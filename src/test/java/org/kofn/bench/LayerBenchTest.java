package org.kofn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.base.KofnException;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.Precision;
import org.kofn.nn.Window;
import org.kofn.runtime.LayerCase;
import org.kofn.runtime.LayerShape;

class LayerBenchTest {
    private static final Device CPU = new Device("cpu");

    @Test
    void layersOfOneShapeAreCountedNotRepeated() {
        List<BenchLayer> layers = BenchLayer.of("resnet-20", BenchLayer.Kind.CONV, 1);
        assertThat(layers).extracting(BenchLayer::layer).contains("conv1", "layer1.0.conv1", "layer2.0.downsample.0");
        assertThat(layers.stream().mapToInt(BenchLayer::times).sum()).isEqualTo(1 + 18 + 2);
        assertThat(layers).extracting(BenchLayer::shape).doesNotHaveDuplicates();
        assertThat(layers.get(1))
                .hasToString("BenchLayer[network=resnet-20, layer=layer1.0.conv1, times=6, shape=16>16 3x3 32x32]");
        assertThat(BenchLayer.of("resnet-20", BenchLayer.Kind.LINEAR, 1))
                .extracting(BenchLayer::name)
                .containsExactly("resnet-20/fc");
    }

    @Test
    void aSizeBehindTheNameIsThatOfTheImages() {
        assertThat(BenchLayer.of("resnet-50@224", BenchLayer.Kind.ALL, 1))
                .extracting(layer -> layer.shape().toString())
                .contains("3>64 7x7/2 224x224", "256>512 1x1/2 56x56", "2048>1000 linear");
        assertThat(BenchLayer.of("resnet-18@224", BenchLayer.Kind.ALL, 32))
                .extracting(layer -> layer.shape().toString())
                .contains("512>512 3x3 7x7 share 32")
                .noneMatch(shape -> shape.contains("1000"));
        assertThatThrownBy(() -> BenchLayer.of("vgg16-bn@16", BenchLayer.Kind.ALL, 1))
                .isInstanceOf(KofnException.class)
                .hasMessageContaining("model vgg16-bn");
    }

    @Test
    void densitiesThatALayerCannotHaveAreLeftOut() {
        LayerShape colours = new LayerShape(3, 8, 8, 8, Window.square(3, 1, 1), 1);
        assertThat(LayerBench.kept(colours, 1)).isEqualTo(3);
        assertThat(LayerBench.kept(colours, 2)).isZero();
        assertThat(LayerBench.kept(new LayerShape(784, 8, 1, 1, null, 1), 32)).isEqualTo(25);
    }

    /** Every layout computes the same layer, or is found out. */
    @Test
    void layoutsOfLibTorchAreCheckedInAProcessOfTheirOwn() {
        LayerCase layer = new LayerCase(new LayerShape(32, 48, 9, 7, Window.square(3, 2, 1), 1), 2, 1);
        try (DenseCheck check = new DenseCheck();
                PointerScope scope = new PointerScope()) {
            List<DenseLayout> layouts = DenseLayout.of(layer.layer(), CPU);
            DenseLayer dense = new DenseLayer(layer, CPU, layouts);
            Tensor expected = dense.exact();
            for (DenseLayout layout : layouts) {
                Tensor first = dense.run(layout).narrow(1, 0, expected.size(1));
                double error = first.sub(expected).abs().max().item_double();
                assertThat(check.failure(layer, layout) == null)
                        .as("%s, error %s", layout, error)
                        .isEqualTo(error < 1e-3);
            }
        }
    }

    /** No memory for such a layer: the process ends with an error, and the next question has another process. */
    @Test
    void aLayoutThatEndsTheProcessIsAFailureAndTheNextQuestionIsAnswered() {
        LayerCase huge = new LayerCase(new LayerShape(1 << 20, 1 << 20, 1, 1, null, 1), 1, 1);
        LayerCase small = new LayerCase(new LayerShape(4, 4, 1, 1, null, 1), 1, 1);
        try (DenseCheck check = new DenseCheck()) {
            assertThat(check.failure(huge, DenseLayout.ONE_PIXEL)).isEqualTo("ends the process");
            assertThat(check.failure(small, DenseLayout.ONE_PIXEL)).isNull();
        }
    }

    @ParameterizedTest
    @CsvSource({"false, FP32", "true, FP32", "false, BF16"})
    void aResultHoldsTogether(boolean cold, Precision precision) {
        assumeThat(NativeLibrary.sparse().loads()).isTrue();
        BenchLayer layer = BenchLayer.of("resnet-20", BenchLayer.Kind.CONV, 1).get(1);
        try (LayerBench bench = new LayerBench(CPU, precision, new Effort(2, 1), cold)) {
            LayerResult result = bench.run(layer, 2, 1, List.of(1, 2, 4));
            assertThat(result.n()).isEqualTo(2);
            assertThat(result.dense())
                    .hasSize(DenseLayout.of(result.shape(), CPU).size());
            assertThat(result.denseMs())
                    .isEqualTo(result.dense().stream()
                            .filter(dense -> dense.ms() != null)
                            .mapToDouble(LayerResult.Dense::ms)
                            .min()
                            .orElseThrow());
            double operations = 2.0 * 2 * 16 * 16 * 9 * 32 * 32;
            assertThat(result.denseGflopPerS()).isEqualTo(operations / result.denseMs() / 1e6);
            assertThat(result.sparse()).extracting(LayerResult.Sparse::kept).containsExactly(16, 8, 4);
            LayerResult.Sparse half = result.at(2).orElseThrow();
            assertThat(half.ratio()).isEqualTo(result.denseMs() / half.ms());
            assertThat(half.gflopPerS()).isEqualTo(operations / 2 / half.ms() / 1e6);
            assertThat(half.kernel()).contains(", " + precision + ", ");
            assertThat(result.measurement().sparse()).hasSize(3);
        }
    }
}
