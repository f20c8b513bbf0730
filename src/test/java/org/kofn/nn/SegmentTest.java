package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.torch.Tensors;

class SegmentTest {
    @Test
    void aResidualBlockIsCutAroundItsConvolutions() {
        Network network = new NetworkBuilder("block", new Shape(4, 6, 6), 4, Initialisation.TORCHVISION_RESNET)
                .relu("stem")
                .conv("conv1", 4, 3, 1, 1)
                .batchNorm("bn1")
                .conv("conv2", 4, 3, 1, 1)
                .add("add", "stem")
                .globalAverage("pool")
                .flatten("flatten")
                .build();
        List<Segment> segments = Segment.cut(network, Set.of("conv1", "conv2"));
        assertThat(segments.stream()
                        .map(s -> s.layers().stream().map(Layer::name).toList() + " of " + s.inputs() + " gives "
                                + s.outputs()))
                .containsExactly(
                        "[stem] of [input] gives [stem]",
                        "[conv1] of [stem] gives [conv1]",
                        "[bn1] of [conv1] gives [bn1]",
                        "[conv2] of [bn1] gives [conv2]",
                        "[add, pool, flatten] of [conv2, stem] gives [flatten]");
    }

    @ParameterizedTest
    @CsvSource({"resnet-20, layer1.0.conv1 layer2.0.conv1 layer2.0.conv2 layer3.2.conv2", "digits-cnn, conv1 conv2"})
    void segmentsOneAfterTheOtherAreTheNetwork(String model, String apart) {
        Shape shape = new Shape(model.equals("digits-cnn") ? 1 : 3, 8, 8);
        Network network = Zoo.build(model, shape, 10);
        List<Segment> segments = Segment.cut(network, Set.of(apart.split(" ")));
        try (PointerScope scope = new PointerScope();
                ScriptModule module = TorchScriptCompiler.compile(network, 1, ScalarType.Float, new Device("cpu"));
                SegmentedModule segmented = TorchScriptCompiler.segments(network, module, segments)) {
            Tensor images = TorchScriptCompilerTest.images(4, shape);
            Map<String, Tensor> values = new HashMap<>(Map.of(Network.INPUT, images));
            for (int i = 0; i < segments.size(); i++) {
                List<Tensor> results = segmented.run(
                        i, segments.get(i).inputs().stream().map(values::get).toList());
                for (int o = 0; o < results.size(); o++) {
                    values.put(segments.get(i).outputs().get(o), results.get(o));
                }
            }
            String scores = network.layers().get(network.layers().size() - 1).name();
            assertThat(Tensors.floats(values.get(scores))).isEqualTo(Tensors.floats(module.forward(images)));
        }
    }
}
