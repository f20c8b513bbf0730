package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.kofn.mask.Granularity;
import org.kofn.nn.Initialisation;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;

class RemovalTest {
    private static final Shape INPUT = new Shape(3, 8, 8);

    /** Writes a network down; the classifier comes by itself. */
    private static final class Written {
        private final List<Layer> layers = new ArrayList<>();

        Written conv(String name, String input, int in, int out, int padding) {
            layers.add(new Layer.Conv2d(name, input, in, out, Window.square(3, 1, padding), 1, false));
            return this;
        }

        Written normRelu(String input, int channels) {
            layers.add(new Layer.BatchNorm2d(input + "bn", input, channels));
            layers.add(new Layer.Activation(input + "relu", input + "bn", Layer.Activation.Kind.RELU));
            return this;
        }

        Written layer(Layer layer) {
            layers.add(layer);
            return this;
        }

        Trained classify(String input, int channels) {
            layers.add(new Layer.AdaptiveAvgPool2d("pool", input, 2, 2));
            layers.add(new Layer.Flatten("flatten", "pool"));
            layers.add(new Layer.Linear("fc", "flatten", 4 * channels, 5, true));
            return new Trained(new Network("written", INPUT, 5, Initialisation.PYTORCH, layers), 5);
        }
    }

    /** Prepares, compares with the module, and says what was removed. */
    private static List<String> removals(Trained trained) {
        try (trained;
                PreparedNetwork prepared = trained.prepare()) {
            assertThat(trained.error(prepared, 2)).isLessThan(1e-5);
            return prepared.removals().stream().map(Removal::toString).toList();
        }
    }

    private static void set(Trained trained, String tensor, float... values) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            trained.tensors.get(tensor).copy_(Tensors.of(values, values.length));
        }
    }

    @Test
    void dropsFeatureMapsOnBothSides() {
        Trained trained = new Written()
                .conv("a", "input", 3, 8, 1)
                .conv("b", "a", 8, 6, 1)
                .classify("b", 6)
                .keepFilters("a", 1, 4, 7)
                .keepFilters("b", 0, 5);
        try (trained;
                PreparedNetwork prepared = trained.prepare()) {
            assertThat(prepared.removals())
                    .hasToString("[a: 5 of 8 feature maps removed, b: 4 of 6 feature maps removed]");
            Op.Weighted b = (Op.Weighted) prepared.graph().ops().get(1);
            assertThat(b.weights().shape()).containsExactly(2, 3, 3, 3);
            Op.Weighted fc = (Op.Weighted) prepared.graph().ops().get(4);
            assertThat(fc.weights().shape()).as("four features a map").containsExactly(5, 8);
            assertThat(trained.error(prepared, 2)).isLessThan(1e-5);
        }
    }

    @Test
    void aShiftGoesIntoTheBiasOfWhoDoesNotPad() {
        Trained trained = new Written()
                .conv("a", "input", 3, 4, 1)
                .normRelu("a", 4)
                .conv("b", "arelu", 4, 4, 0)
                .classify("b", 4)
                .keepFilters("a", 0);
        set(trained, "abn.bias", 1, 2, 3, -4);
        set(trained, "abn.running_mean", 0, 0, 0, 0);
        assertThat(removals(trained)).containsExactly("a: 3 of 4 feature maps removed");
    }

    @Test
    void oneShiftStandsForAllWherePaddingEndsIt() {
        Trained trained = new Written()
                .conv("a", "input", 3, 4, 1)
                .normRelu("a", 4)
                .conv("b", "arelu", 4, 4, 1)
                .classify("b", 4)
                .keepFilters("a", 0);
        set(trained, "abn.bias", 1, 2, 3, -4);
        set(trained, "abn.running_mean", 0, 0, 0, 0);
        assertThat(removals(trained))
                .containsExactly(
                        "a: 2 of 4 feature maps removed; 1 dropped, but needed: b pads its input with zeros, where"
                                + " a constant other than 0 ends");
    }

    @Test
    void listsOfKernelsStayAsLongAsTheyAre() {
        Trained trained = new Written()
                .conv("a", "input", 3, 4, 1)
                .normRelu("a", 4)
                .conv("b", "arelu", 4, 4, 1)
                .classify("b", 4)
                .keepFilters("a", 0)
                .prune("b", Granularity.KERNEL, 1, 4);
        set(trained, "abn.bias", 1, 2, 3, -4);
        set(trained, "abn.running_mean", 0, 0, 0, 0);
        assertThat(removals(trained))
                .containsExactly(
                        "a: 1 of 4 feature maps removed; 2 dropped, but needed: b pads its input with zeros, where"
                                + " a constant other than 0 ends");
    }

    @Test
    void aSumNeedsTheSameMapsOnBothSides() {
        Written written = new Written()
                .conv("a", "input", 3, 4, 1)
                .conv("b", "input", 3, 4, 1)
                .layer(new Layer.Add("sum", List.of("a", "b")));
        Trained trained = written.classify("sum", 4).keepFilters("a", 0, 1).keepFilters("b", 0, 2);
        assertThat(removals(trained))
                .containsExactly(
                        "a: 1 of 4 feature maps removed; 1 dropped, but needed: sum adds others to them",
                        "b: 1 of 4 feature maps removed; 1 dropped, but needed: sum adds others to them");
    }

    @Test
    void aConcatenationStacksWhatIsLeft() {
        Written written = new Written()
                .conv("a", "input", 3, 4, 1)
                .conv("b", "input", 3, 5, 1)
                .layer(new Layer.Concat("cat", List.of("b", "a", "b")))
                .conv("c", "cat", 14, 3, 1);
        Trained trained = written.classify("c", 3).keepFilters("a", 3).keepFilters("b", 0, 4);
        assertThat(removals(trained))
                .containsExactly("a: 3 of 4 feature maps removed", "b: 3 of 5 feature maps removed");
    }

    @Test
    void whatNobodyReadsGoesWithWhatItAloneReads() {
        Trained trained = new Written()
                .conv("a", "input", 3, 4, 1)
                .conv("b", "a", 4, 4, 1)
                .conv("c", "b", 4, 3, 1)
                .classify("c", 3);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            // Map 2 of b is read by none; it alone reads map 1 of a.
            trained.tensors.get("c.weight").select(1, 2).zero_();
            Tensor b = trained.tensors.get("b.weight");
            for (int o : new int[] {0, 1, 3}) {
                b.select(0, o).select(0, 1).zero_();
            }
        }
        assertThat(removals(trained))
                .containsExactly("a: 1 of 4 feature maps removed", "b: 1 of 4 feature maps removed");
    }

    @Test
    void oneMapStaysOfALayerWithoutUse() {
        Trained trained = new Written()
                .conv("a", "input", 3, 4, 1)
                .conv("b", "a", 4, 3, 1)
                .classify("b", 3);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            trained.tensors.get("b.weight").zero_();
        }
        assertThat(removals(trained))
                .containsExactly(
                        "a: 3 of 4 feature maps removed",
                        "b: 2 of 3 feature maps removed; 1 dropped, but needed: no other is left",
                        "fc: 5 dropped, but needed: they are the network's output");
    }

    @Test
    void zerosAroundAnAverageKeepAConstant() {
        Written written = new Written().conv("a", "input", 3, 4, 1).normRelu("a", 4);
        written.layer(new Layer.AvgPool2d("avg", "arelu", Window.square(3, 1, 1)));
        Trained trained = written.classify("avg", 4).keepFilters("a", 0);
        set(trained, "abn.bias", 1, 2, 3, -4);
        set(trained, "abn.running_mean", 0, 0, 0, 0);
        assertThat(removals(trained))
                .containsExactly(
                        "a: 1 of 4 feature maps removed; 2 dropped, but needed: avg averages them with the zeros"
                                + " around the image");
    }

    @Test
    void groupedConvolutionsKeepTheirChannels() {
        Written written = new Written().conv("a", "input", 3, 4, 1);
        written.layer(new Layer.Conv2d("g", "a", 4, 4, Window.square(3, 1, 1), 2, true));
        assertThat(removals(written.classify("g", 4).keepFilters("a", 0, 1, 2)))
                .containsExactly("a: 1 dropped, but needed: g convolves channels in groups");
    }

    @Test
    void residualNetworksLoseTheInnerMapsOfTheirBlocks() {
        Network network = Zoo.build("resnet-20", new Shape(3, 16, 16), 10);
        Trained trained =
                new Trained(network, 1).keepFilters("layer1.1.conv1", 2, 3, 5).keepFilters("layer3.0.conv2", 0, 1);
        for (String block : List.of("layer1.1.bn1", "layer3.0.bn2")) {
            int channels = block.startsWith("layer1") ? 16 : 64;
            set(trained, block + ".bias", new float[channels]);
            set(trained, block + ".running_mean", new float[channels]);
        }
        assertThat(removals(trained))
                .containsExactly(
                        "layer1.1.conv1: 13 of 16 feature maps removed",
                        "layer3.0.conv2: 62 dropped, but needed: layer3.0.add adds others to them");
    }

    @Test
    void aMissingTensorIsNamed() {
        try (Trained trained = new Written().conv("a", "input", 3, 4, 1).classify("a", 4)) {
            trained.tensors.remove("a.weight");
            assertThat(catchThrowable(trained::prepare)).hasMessage("model written: layer a: its weight is missing");
        }
    }
}
