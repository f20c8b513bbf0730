package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.kofn.nn.Initialisation;
import org.kofn.nn.Layer;
import org.kofn.nn.Layer.Activation.Kind;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.nn.Zoo;

class FusionTest {
    private static final Shape INPUT = new Shape(4, 6, 6);

    private static Layer conv(String name, String input) {
        return new Layer.Conv2d(name, input, 4, 4, Window.square(3, 1, 1), 1, true);
    }

    private static Layer act(String name, String input, Kind kind) {
        return new Layer.Activation(name, input, kind);
    }

    private static Layer add(String name, String... inputs) {
        return new Layer.Add(name, List.of(inputs));
    }

    /** What is left of these layers and a classifier of the last one, in short, after a comparison with the module. */
    private static List<String> fused(Layer... layers) {
        List<Layer> all = new ArrayList<>(List.of(layers));
        all.add(new Layer.AdaptiveAvgPool2d("pool", all.get(all.size() - 1).name(), 1, 1));
        all.add(new Layer.Flatten("flatten", "pool"));
        all.add(new Layer.Linear("fc", "flatten", 4, 3, true));
        Network network = new Network("written", INPUT, 3, Initialisation.PYTORCH, all);
        try (Trained trained = new Trained(network, 3);
                PreparedNetwork prepared = trained.prepare()) {
            assertThat(trained.error(prepared, 2)).isLessThan(1e-5);
            return prepared.graph().ops().stream()
                    .filter(op -> !List.of("pool", "flatten", "fc").contains(op.name()))
                    .map(FusionTest::text)
                    .toList();
        }
    }

    private static String text(Op op) {
        String text = op.name() + String.join(",", op.inputs()).replaceAll("(.+)", "($1)");
        if (op instanceof Op.Weighted weighted) {
            return text + " " + weighted.epilogue().rectifier();
        }
        return text;
    }

    @Test
    void rectifiersFollowSums() {
        assertThat(fused(conv("a", "input"), conv("b", "a"), add("sum", "b", "a"), act("r", "sum", Kind.RELU6)))
                .containsExactly("a(input) NONE", "b(a,a) RELU6");
    }

    @Test
    void theLaterOfTwoConvolutionsTakesTheSum() {
        assertThat(fused(
                        conv("a", "input"),
                        conv("b", "input"),
                        act("r", "a", Kind.RELU),
                        add("sum", "r", "b"),
                        act("last", "sum", Kind.RELU)))
                .containsExactly("a(input) RELU", "b(input,a) RELU");
    }

    @Test
    void whatOthersReadStays() {
        assertThat(fused(conv("a", "input"), act("r", "a", Kind.RELU), add("sum", "r", "a")))
                .containsExactly("a(input) NONE", "r(a)", "sum(r,a)");
        assertThat(fused(conv("a", "input"), add("sum", "a", "a"))).containsExactly("a(input) NONE", "sum(a,a)");
    }

    @Test
    void otherActivationsAndSumsStay() {
        assertThat(fused(conv("a", "input"), act("t", "a", Kind.TANH), conv("b", "t"), add("sum", "input", "b", "a")))
                .as("t reads a, and so does the sum")
                .containsExactly("a(input) NONE", "t(a)", "b(t) NONE", "sum(input,b,a)");
    }

    @Test
    void batchNormsGoIntoTheConvolutionThatTheyAloneFollow() {
        assertThat(fused(
                        conv("a", "input"),
                        new Layer.BatchNorm2d("n1", "a", 4),
                        new Layer.Dropout("d", "n1", 0.3),
                        new Layer.BatchNorm2d("n2", "d", 4),
                        act("r", "n2", Kind.RELU),
                        new Layer.BatchNorm2d("n3", "r", 4),
                        conv("b", "n3"),
                        new Layer.BatchNorm2d("n4", "b", 4),
                        add("sum", "b", "n4")))
                .containsExactly("a(input) RELU", "n3(a)", "b(n3) NONE", "n4(b)", "sum(b,n4)");
    }

    /** 20 convolutions and a linear layer, pool and flattening: nothing else is left of ResNet-18's 67 layers. */
    @Test
    void residualNetworksAreConvolutionsOnly() {
        Network network = Zoo.build("resnet-18", new Shape(3, 32, 32), 10);
        try (Trained trained = new Trained(network, 3);
                PreparedNetwork prepared = trained.prepare()) {
            InferenceGraph graph = prepared.graph();
            assertThat(graph.ops()).hasSize(23);
            assertThat(text(graph.ops().get(2))).isEqualTo("layer1.0.conv2(layer1.0.conv1,conv1) RELU");
            assertThat(text(graph.ops().get(7))).isEqualTo("layer2.0.downsample.0(layer1.1.conv2,layer2.0.conv2) RELU");
        }
    }
}
