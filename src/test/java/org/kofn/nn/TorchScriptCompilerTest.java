package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.base.KofnException;
import org.kofn.nn.Layer.Activation;
import org.kofn.torch.Tensors;

class TorchScriptCompilerTest {
    private static final Device CPU = new Device("cpu");

    static ScriptModule module(String model, Shape input, ScalarType type) {
        return TorchScriptCompiler.compile(Zoo.build(model, input, 10), 3, type, CPU);
    }

    static Tensor images(int batch, Shape shape) {
        long[] sizes = {batch, shape.channels(), shape.height(), shape.width()};
        float[] values = new float[Math.toIntExact(batch * shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i * 0.7311 + Math.cos(i * 0.1177) * 3);
        }
        return Tensors.of(values, sizes);
    }

    /** The names of torchvision's {@code resnet18().state_dict()}, from its pattern. */
    @Test
    void namesAreTorchvisions() {
        List<String> parameters = new ArrayList<>(List.of("conv1.weight", "bn1.weight", "bn1.bias"));
        List<String> norms = new ArrayList<>(List.of("bn1"));
        for (int layer = 1; layer <= 4; layer++) {
            for (int block = 0; block < 2; block++) {
                String at = "layer" + layer + "." + block + ".";
                for (int i = 1; i <= 2; i++) {
                    parameters.addAll(
                            List.of(at + "conv" + i + ".weight", at + "bn" + i + ".weight", at + "bn" + i + ".bias"));
                    norms.add(at + "bn" + i);
                }
                if (layer > 1 && block == 0) {
                    parameters.addAll(
                            List.of(at + "downsample.0.weight", at + "downsample.1.weight", at + "downsample.1.bias"));
                    norms.add(at + "downsample.1");
                }
            }
        }
        parameters.addAll(List.of("fc.weight", "fc.bias"));
        List<String> buffers = norms.stream()
                .flatMap(n -> Stream.of(n + ".running_mean", n + ".running_var", n + ".num_batches_tracked"))
                .toList();
        Network network = Zoo.build("resnet-18", new Shape(3, 224, 224), 1000);
        try (ScriptModule module = TorchScriptCompiler.compile(network, 0, ScalarType.Float, CPU)) {
            assertThat(module.parameters().keySet()).containsExactlyElementsOf(parameters);
            assertThat(module.buffers().keySet()).containsExactlyElementsOf(buffers);
            for (Network.Weight weight : network.weights()) {
                assertThat(Tensors.shape(module.parameters().get(weight.parameter())))
                        .isEqualTo(weight.shape());
            }
        }
    }

    @Test
    void namesOfVggAreTorchvisions() {
        try (ScriptModule module = module("vgg16-bn", new Shape(3, 32, 32), ScalarType.Float)) {
            assertThat(module.parameters().keySet())
                    .startsWith("features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias")
                    .contains("features.3.weight", "features.7.weight", "features.40.bias", "features.41.weight")
                    .endsWith("classifier.weight", "classifier.bias")
                    .hasSize(13 * 4 + 2);
        }
    }

    @Test
    void theSourceReadsLikePython() {
        Network network = Zoo.build("lenet-5", new Shape(1, 28, 28), 10);
        assertThat(TorchScriptSource.of(network, ScalarType.BFloat16))
                .isEqualTo(
                        """
                def forward(self, input: Tensor) -> Tensor:
                    input = torch.to(input, 15)
                    conv1 = self.conv1.forward(input)
                    relu1 = torch.relu(conv1)
                    pool1 = torch.max_pool2d(relu1, [2, 2], [2, 2], [0, 0], [1, 1])
                    conv2 = self.conv2.forward(pool1)
                    relu2 = torch.relu(conv2)
                    pool2 = torch.max_pool2d(relu2, [2, 2], [2, 2], [0, 0], [1, 1])
                    flatten = torch.flatten(pool2, 1)
                    fc1 = self.fc1.forward(flatten)
                    relu3 = torch.relu(fc1)
                    fc2 = self.fc2.forward(relu3)
                    return torch.to(fc2, 6)
                """);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "lenet-300-100",
                "lenet-5",
                "digits-cnn",
                "vgg7",
                "vgg16-bn",
                "resnet-20",
                "resnet-18",
                "resnet-50"
            })
    void gradientsReachEveryParameter(String model) {
        Shape input = model.startsWith("lenet") ? new Shape(1, 28, 28) : new Shape(3, 32, 32);
        try (PointerScope scope = new PointerScope();
                ScriptModule module = module(model, input, ScalarType.Float)) {
            Tensor scores = module.forward(images(4, input));
            assertThat(Tensors.shape(scores)).containsExactly(4, 10);
            torch.cross_entropy(scores, Tensors.of(new long[] {1, 2, 3, 4}, 4)).backward();
            module.parameters().forEach((name, parameter) -> {
                assertThat(parameter.is_leaf()).as(name).isTrue();
                double norm = parameter.grad().norm().item_double();
                boolean shiftsBeforeNorm = name.startsWith("features.") && name.endsWith(".bias");
                assertThat(norm).as(name).isFinite();
                assertThat(norm > 0 || shiftsBeforeNorm).as(name).isTrue();
            });
        }
    }

    @Test
    void whatIsCopiedIntoAParameterIsWhatTheNextForwardUses() {
        Shape input = new Shape(1, 8, 8);
        try (PointerScope scope = new PointerScope();
                ScriptModule module = module("digits-cnn", input, ScalarType.Float)) {
            Tensor x = images(2, input);
            byte[] before = Tensors.bytes(module.forward(x));
            try (NoGradGuard noGrad = new NoGradGuard()) {
                module.parameters().get("fc2.weight").zero_();
                module.parameters().get("fc2.bias").copy_(torch.arange(new Scalar(10.0)));
            }
            Tensor after = module.forward(x);
            assertThat(Tensors.bytes(after)).isNotEqualTo(before);
            assertThat(Tensors.floats(after)).startsWith(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1);
            after.sum().backward();
            assertThat(module.parameters().get("fc2.bias").grad().sum().item_double())
                    .isEqualTo(20);
        }
    }

    @Test
    void batchNormsUseTheBatchInTrainingAndRunningStatisticsOtherwise() {
        Shape input = new Shape(3, 16, 16);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = module("resnet-20", input, ScalarType.Float)) {
            Tensor x = images(8, input);
            byte[] statistics = Tensors.bytes(module.buffers().get("layer2.0.bn1.running_mean"));
            module.train(false);
            byte[] eval = Tensors.bytes(module.forward(x));
            assertThat(Tensors.bytes(module.buffers().get("layer2.0.bn1.running_mean")))
                    .isEqualTo(statistics);
            module.train(true);
            assertThat(Tensors.bytes(module.forward(x))).isNotEqualTo(eval);
            assertThat(Tensors.bytes(module.buffers().get("layer2.0.bn1.running_mean")))
                    .isNotEqualTo(statistics);
            assertThat(Tensors.longs(module.buffers().get("layer2.0.bn1.num_batches_tracked")))
                    .containsExactly(1);
        }
    }

    @Test
    void repeatedCallsGiveTheSameBits() {
        Shape input = new Shape(3, 16, 16);
        try (PointerScope scope = new PointerScope();
                ScriptModule module = module("resnet-20", input, ScalarType.Float)) {
            Tensor x = images(8, input);
            Set<String> seen = new HashSet<>();
            for (int call = 0; call < 6; call++) {
                Tensor scores = module.forward(x);
                scores.square().sum().backward();
                Tensor weight = module.parameters().get("conv1.weight");
                seen.add(Arrays.hashCode(Tensors.bytes(scores)) + " " + Arrays.hashCode(Tensors.bytes(weight.grad())));
                weight.mutable_grad().zero_();
            }
            assertThat(seen).hasSize(1);
        }
    }

    @Test
    void bfloat16KeepsNormsAndScoresInFloat() {
        Shape input = new Shape(3, 16, 16);
        try (PointerScope scope = new PointerScope();
                ScriptModule half = module("resnet-20", input, ScalarType.BFloat16);
                ScriptModule full = module("resnet-20", input, ScalarType.Float)) {
            Map<String, ScalarType> types = new LinkedHashMap<>();
            half.parameters()
                    .forEach((name, tensor) ->
                            types.put(name, tensor.scalar_type().intern()));
            half.buffers()
                    .forEach((name, tensor) ->
                            types.put(name, tensor.scalar_type().intern()));
            assertThat(types)
                    .containsEntry("conv1.weight", ScalarType.BFloat16)
                    .containsEntry("fc.bias", ScalarType.BFloat16)
                    .containsEntry("bn1.weight", ScalarType.Float)
                    .containsEntry("bn1.running_var", ScalarType.Float)
                    .containsEntry("bn1.num_batches_tracked", ScalarType.Long);
            Tensor x = images(8, input);
            Tensor scores = half.forward(x);
            assertThat(scores.scalar_type().intern()).isEqualTo(ScalarType.Float);
            double error = scores.sub(full.forward(x)).norm().item_double()
                    / scores.norm().item_double();
            assertThat(error).isBetween(1e-6, 0.1);
            scores.square().sum().backward();
            half.parameters().forEach((name, tensor) -> assertThat(
                            tensor.grad().scalar_type().intern())
                    .as(name)
                    .isEqualTo(types.get(name)));
        }
        assertThatThrownBy(() -> module("resnet-20", input, ScalarType.Half))
                .isInstanceOf(KofnException.class)
                .hasMessage("model resnet-20: computes in Float, BFloat16 or Double, not Half");
    }

    @Test
    void everyKindOfLayerComputesWhatItSays() {
        List<Layer> layers = new ArrayList<>(List.of(
                new Layer.Conv2d("stem.0", "input", 4, 6, new Window(3, 2, 2, 1, 1, 0, 1, 2), 2, false),
                new Layer.MaxPool2d("max", "stem.0", new Window(2, 3, 1, 2, 1, 1, 1, 1)),
                new Layer.AvgPool2d("avg", "stem.0", new Window(2, 3, 1, 2, 1, 1, 1, 1)),
                new Layer.Add("sum", List.of("max", "avg", "max")),
                new Layer.Concat("cat", List.of("sum", "avg")),
                new Layer.BatchNorm2d("bn", "cat", 12, 1e-3, 0.5),
                new Layer.AdaptiveAvgPool2d("pool", "bn", 2, 3),
                new Layer.Flatten("class", "pool"),
                new Layer.Dropout("drop", "class", 0.5)));
        String at = "drop";
        for (Activation.Kind kind : Activation.Kind.values()) {
            layers.add(new Activation("act." + kind.ordinal(), at, kind));
            at = "act." + kind.ordinal();
        }
        layers.add(new Layer.Linear("stem_0", at, 72, 5, false));
        assertThat(layers.stream().map(Object::getClass).collect(Collectors.toSet()))
                .as("a new kind of layer needs its TorchScript and its place in this test")
                .isEqualTo(kinds(Layer.class).collect(Collectors.toSet()));

        Shape input = new Shape(4, 9, 8);
        Network network = new Network("all", input, 5, Initialisation.PYTORCH, layers);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = TorchScriptCompiler.compile(network, 1, ScalarType.Float, CPU)) {
            module.train(false);
            Tensor x = images(3, input);
            Map<String, Tensor> p = module.parameters();
            Tensor conv = torch.conv2d(
                    x,
                    p.get("stem.0.weight"),
                    new TensorOptional(),
                    new long[] {2, 1},
                    new long[] {1, 0},
                    new long[] {1, 2},
                    2);
            Tensor max = torch.max_pool2d(
                    conv, new long[] {2, 3}, new long[] {1, 2}, new long[] {1, 1}, new long[] {1, 1}, false);
            Tensor avg = torch.avg_pool2d(
                    conv, new long[] {2, 3}, new long[] {1, 2}, new long[] {1, 1}, false, true, new LongOptional());
            Tensor cat = torch.cat(new TensorVector(max.add(avg).add(max), avg), 1);
            Tensor norm = cat.div(new Scalar(Math.sqrt(1 + 1e-3)));
            Tensor y = torch.adaptive_avg_pool2d(norm, 2, 3).flatten(1, -1);
            y = torch.hardtanh(torch.relu6(torch.relu(y)));
            y = torch.hardswish(torch.silu(torch.elu(torch.leaky_relu(y))));
            y = torch.gelu(torch.tanh(torch.sigmoid(y)));
            Tensor expected = torch.linear(y, p.get("stem_0.weight"));
            Tensor actual = module.forward(x);
            assertThat(actual.sub(expected).abs().max().item_double()).isLessThan(1e-6);
            assertThat(actual.abs().max().item_double()).isGreaterThan(0.01);

            module.train(true);
            byte[] once = Tensors.bytes(module.forward(x));
            assertThat(Tensors.bytes(module.forward(x)))
                    .as("dropout draws anew")
                    .isNotEqualTo(once);
        }
    }

    private static Stream<Class<?>> kinds(Class<?> type) {
        return type.isSealed()
                ? Stream.of(type.getPermittedSubclasses()).flatMap(TorchScriptCompilerTest::kinds)
                : Stream.of(type);
    }
}
