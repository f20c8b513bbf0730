package org.kofn.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.bench.RandomModel;
import org.kofn.export.CompactFile;
import org.kofn.export.CompactModel;
import org.kofn.mask.Keep;
import org.kofn.nn.Initialisation;
import org.kofn.nn.Layer;
import org.kofn.nn.Layer.Activation;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.nn.Window;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;

/**
 * ONNX Runtime computes from the exported file what LibTorch does from the TorchScript module; with LibTorch's own
 * loops, since oneDNN's convolutions of 20 feature maps were found wrong on a processor (oneDNN 3.7.1, AMD Zen 5).
 */
class OnnxExportTest {
    private static final Device CPU = Tensors.keep(new Device("cpu"));
    /** Of the largest score. */
    private static final double BOUND = 1e-4;

    @TempDir
    Path dir;

    static List<String> zoo() {
        return List.copyOf(Zoo.names());
    }

    @ParameterizedTest
    @MethodSource("zoo")
    void everyNetworkOfTheZoo(String name) throws Exception {
        for (String density : List.of("all", "25%")) {
            RandomModel.write(dir, name, Keep.parse("test", density), 3);
            Path file = dir.resolve(name + ".onnx");
            try (CompactModel compact = CompactFile.read(dir.resolve("model.safetensors"));
                    ScriptModule module = ScriptModule.load(dir.resolve("model.pt"), CPU)) {
                OnnxExport.write(file, compact.network(), compact.tensors(), Map.of());
                requireSame(module, file, compact.network().input());
            }
        }
    }

    /** Layers that the zoo does not use, between convolutions that make their inputs be of either sign. */
    @ParameterizedTest
    @EnumSource(Activation.Kind.class)
    void everyActivation(Activation.Kind kind) throws Exception {
        List<Double> arguments = new ArrayList<>();
        for (double value : kind.defaults()) {
            arguments.add(value * 0.75);
        }
        requireSame(List.of(new Activation("act", "input", kind, arguments)), new Shape(2, 5, 4));
    }

    @Test
    void everyOtherLayer() throws Exception {
        requireSame(
                List.of(
                        new Layer.Conv2d("conv", "input", 4, 6, new Window(3, 2, 2, 1, 2, 1, 1, 2), 2, true),
                        new Layer.BatchNorm2d("conv.norm", "conv", 6, 1e-2, 0.1),
                        new Layer.Dropout("drop", "conv.norm", 0.5),
                        new Layer.MaxPool2d("max", "drop", new Window(3, 2, 1, 1, 1, 1, 1, 1)),
                        new Layer.AvgPool2d("mean", "drop", new Window(3, 2, 1, 1, 1, 1, 1, 1)),
                        new Layer.Add("sum", List.of("max", "mean", "max")),
                        new Layer.Concat("both", List.of("sum", "mean")),
                        new Layer.Dropout("last", "both", 0.1)),
                new Shape(4, 9, 7));
    }

    @ParameterizedTest
    @CsvSource({"8, 4, 2", "6, 6, 6", "3, 2, 2", "7, 1, 3", "9, 3, 9"})
    void adaptivePoolsWhoseWindowsAreAlike(int size, int height, int width) throws Exception {
        requireSame(List.of(new Layer.AdaptiveAvgPool2d("pool", "input", height, width)), new Shape(3, size, size));
    }

    @Test
    void adaptivePoolsWhoseWindowsDifferAreRefused() {
        assertThatThrownBy(() ->
                        requireSame(List.of(new Layer.AdaptiveAvgPool2d("pool", "input", 3, 2)), new Shape(3, 8, 8)))
                .hasMessage("model test: layer pool: averages 8x8 pixels down to 3x2, in windows that are not all"
                        + " alike, which ONNX has not");
    }

    @Test
    void namesAndSizesAreThoseOfTheNetwork() throws Exception {
        RandomModel.write(dir, "digits-cnn", Keep.parse("test", "25%"), 3);
        Path file = dir.resolve("model.onnx");
        try (CompactModel compact = CompactFile.read(dir.resolve("model.safetensors"))) {
            OnnxExport.write(file, compact.network(), compact.tensors(), Map.of("recipe.yaml", compact.recipe()));
            String content = Files.readString(file, StandardCharsets.ISO_8859_1);
            compact.tensors().keySet().forEach(name -> assertThat(content).contains(name));
            try (OrtSession session = OrtEnvironment.getEnvironment().createSession(file.toString())) {
                assertThat(session.getInputNames()).containsExactly("input");
                assertThat(session.getOutputNames()).containsExactly("fc2");
                TensorInfo input =
                        (TensorInfo) session.getInputInfo().get("input").getInfo();
                assertThat(input.getShape()).containsExactly(-1, 1, 8, 8);
                assertThat(session.getMetadata().getProducerName()).isEqualTo("kofn");
                assertThat(session.getMetadata().getGraphName()).isEqualTo("digits-cnn");
                assertThat(session.getMetadata().getCustomMetadata()).containsEntry("recipe.yaml", compact.recipe());
            }
        }
    }

    @Test
    void moreThanAFileCanHoldIsRefused() {
        Network network = network(
                List.of(
                        new Layer.Flatten("flat", "input"),
                        new Layer.Linear("wide", "flat", 1 << 15, 1 << 14, false),
                        new Layer.Linear("narrow", "wide", 1 << 14, 10, false)),
                new Shape(8, 64, 64));
        refused(network, Map.of(), ExitCode.USAGE)
                .hasMessage("model test: its weights take 2,148 MB in fp32, and an ONNX file holds 2,146 MB at most");
    }

    @Test
    void tensorsThatAreNotTheNetworksAreRefused() {
        Network network = network(
                List.of(new Layer.Flatten("flat", "input"), new Layer.Linear("fc", "flat", 4, 10, false)),
                new Shape(1, 2, 2));
        refused(network, Map.of(), ExitCode.FILE)
                .hasMessage("model test: layer fc: its weight is missing, where [10, 4] are wanted");
        refused(network, Map.of("fc.weight", Tensors.of(new float[8], 2, 4)), ExitCode.FILE)
                .hasMessage("model test: layer fc: its weight is [2, 4], where [10, 4] are wanted");
    }

    private AbstractThrowableAssert<?, ?> refused(Network network, Map<String, Tensor> tensors, ExitCode code) {
        Path file = dir.resolve("refused.onnx");
        return assertThatThrownBy(() -> OnnxExport.write(file, network, tensors, Map.of()))
                .isInstanceOfSatisfying(KofnException.class, e -> {
                    assertThat(e.exitCode()).isEqualTo(code);
                    assertThat(file).doesNotExist();
                });
    }

    /** A network with these layers and a linear one behind them. */
    private void requireSame(List<Layer> layers, Shape input) throws Exception {
        List<Layer> all = new ArrayList<>(layers);
        Shape before = shape(layers, input);
        all.add(new Layer.Flatten("flat", layers.get(layers.size() - 1).name()));
        all.add(new Layer.Linear("fc", "flat", (int) before.size(), 10, true));
        Network network = network(all, input);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = TorchScriptCompiler.compile(network, 1, ScalarType.Float, CPU)) {
            module.train(false);
            Map<String, Tensor> tensors = new HashMap<>(module.parameters());
            tensors.putAll(module.buffers());
            tensors.forEach((name, tensor) -> {
                if (name.contains("norm") && tensor.dim() == 1) {
                    tensor.uniform_(0.5, 1.5, new GeneratorOptional());
                }
            });
            Path file = dir.resolve("model.onnx");
            OnnxExport.write(file, network, tensors, Map.of());
            requireSame(module, file, input);
        }
    }

    private static Shape shape(List<Layer> layers, Shape input) {
        Map<String, Shape> shapes = new HashMap<>(Map.of("input", input));
        for (Layer layer : layers) {
            shapes.put(
                    layer.name(),
                    layer.output(layer.inputs().stream().map(shapes::get).toList()));
        }
        return shapes.get(layers.get(layers.size() - 1).name());
    }

    private static Network network(List<Layer> layers, Shape input) {
        return new Network("test", input, 10, Initialisation.PYTORCH, layers);
    }

    private static void requireSame(ScriptModule module, Path file, Shape input) throws Exception {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        module.train(false);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            try (OrtSession session = environment.createSession(file.toString(), options)) {
                for (int batch : new int[] {1, 3}) {
                    Tensor images = torch.randn(batch, input.channels(), input.height(), input.width());
                    float[] expected = Tensors.floats(module.forward(images));
                    float[][] actual = run(environment, session, images);
                    double largest = 0;
                    double error = 0;
                    for (int i = 0; i < expected.length; i++) {
                        largest = Math.max(largest, Math.abs(expected[i]));
                        error = Math.max(error, Math.abs(expected[i] - actual[i / 10][i % 10]));
                    }
                    assertThat(largest).as("scores that say something").isGreaterThan(1e-3);
                    assertThat(error / largest).as("batch %d", batch).isLessThan(BOUND);
                }
            }
        }
    }

    private static float[][] run(OrtEnvironment environment, OrtSession session, Tensor images) throws Exception {
        FloatBuffer values = FloatBuffer.wrap(Tensors.floats(images));
        try (OnnxTensor input = OnnxTensor.createTensor(environment, values, Tensors.shape(images));
                OrtSession.Result result = session.run(Map.of("input", input))) {
            return (float[][]) result.get(0).getValue();
        }
    }
}
