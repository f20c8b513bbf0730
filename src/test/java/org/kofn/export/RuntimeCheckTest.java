package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.export.Report.Comparison;
import org.kofn.export.Report.Outcome;
import org.kofn.kernels.NativeLibrary;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;

class RuntimeCheckTest {
    @TempDir
    Path dir;

    /** Fresh weights of which a quarter of the kernels, or of each neuron's inputs, stay. */
    private CompactModel compact(Network network, long seed) {
        Path file = dir.resolve(network.name() + ".safetensors");
        Random random = new Random(seed);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                ScriptModule module = TorchScriptCompiler.compile(network, seed, ScalarType.Float, Run.CPU)) {
            List<PrunedTensor> pruned = new ArrayList<>();
            for (Network.Weight weight : network.weights()) {
                boolean convolution = weight.shape().length == 4;
                Granularity granularity = convolution ? Granularity.KERNEL : Granularity.WEIGHT;
                MaskLayout layout = MaskLayout.of(weight.layer(), granularity, weight.shape(), 0, 1);
                long k = Math.max(1, layout.candidates() / 4);
                PrunedTensor layer = Models.mask(weight.parameter(), layout, k, random);
                pruned.add(layer);
                Tensor off = layout.spread(layer.mask()).logical_not();
                module.parameters()
                        .get(weight.parameter())
                        .view(layout.view())
                        .masked_fill_(off, Tensors.of(new float[1]));
            }
            Map<String, Tensor> tensors = new LinkedHashMap<>(module.parameters());
            tensors.putAll(module.buffers());
            String recipe = String.format(Run.RECIPE, "fp32");
            CompactFile.write(file, tensors, pruned, recipe, CompactFile.about(network));
        }
        return CompactFile.read(file);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "lenet-300-100, 1, 28",
        "lenet-5, 1, 28",
        "vgg7, 3, 16",
        "resnet-20, 3, 16",
    })
    void networksStayWithinTheBound(String model, int channels, int size) {
        check(model, channels, size);
    }

    @ParameterizedTest(name = "{0}")
    @Tag("extended")
    @CsvSource({"vgg16-bn, 3, 32", "resnet-56, 3, 32", "resnet-18, 3, 32", "resnet-50, 3, 64"})
    void largeNetworksStayWithinTheBound(String model, int channels, int size) {
        check(model, channels, size);
    }

    private void check(String model, int channels, int size) {
        Network network = Zoo.build(model, new Shape(channels, size, size), 10);
        Findings findings = new Findings();
        try (CompactModel compact = compact(network, 3)) {
            Report.Sparse sparse = new RuntimeCheck(compact, network, findings).run();
            Comparison random = sparse.random();
            // On some virtual machines LibTorch's convolutions are wrong; then the check has to say so.
            boolean libTorchIsRight = random.denseRounding() < 1e-3 * largest(compact, network);
            assertThat(findings.checks())
                    .extracting(Report.Check::outcome)
                    .containsExactly(libTorchIsRight ? Outcome.PASSED : Outcome.FAILED, Outcome.SKIPPED);
            assertThat(random.sparseRounding()).isBetween(1e-13, 1e-5 * largest(compact, network));
            assertThat(findings.checks().get(1).detail()).contains("takes images of " + network.input());
            assertThat(random.images()).isEqualTo(20);
            assertThat(sparse.test()).isNull();
            assertThat(sparse.runs()).isBetween(5, 101);
            assertThat(sparse.nativeKernels()).isEqualTo(NativeLibrary.sparse().loads());
            assertThat(sparse.bytesCompact()).isLessThan(sparse.bytesDense() / 2);
            assertThat(sparse.layers()).isNotEmpty();
        }
    }

    /** The largest logit of the network on random images. */
    private static double largest(CompactModel compact, Network network) {
        try (PointerScope scope = new PointerScope();
                SparseModel sparse = SparseModel.of(compact, 1)) {
            Shape input = network.input();
            torch.manual_seed(1);
            return sparse.logits(torch.randn(16, input.channels(), input.height(), input.width()))
                    .abs()
                    .max()
                    .item_double();
        }
    }

    /** The bound is worth something: one weight that is off by a thousandth of itself is found. */
    @Test
    void oneWrongKernelExceedsTheBound() {
        Network network = Zoo.build("resnet-20", new Shape(3, 32, 32), 10);
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                CompactModel right = compact(network, 3);
                CompactModel wrong = CompactFile.read(right.file());
                ScriptModule exact = TorchScriptCompiler.compile(network, 0, ScalarType.Double, Run.CPU);
                ScriptModule module = TorchScriptCompiler.compile(network, 0, ScalarType.Float, Run.CPU)) {
            for (ScriptModule filled : List.of(exact, module)) {
                filled.parameters()
                        .forEach((name, tensor) -> tensor.copy_(right.tensors().get(name)));
                filled.train(false);
            }
            Tensor kernel = wrong.stored().get("layer2.1.conv1.weight").narrow(0, 5, 1);
            kernel.mul_(Tensors.of(new float[] {1.001f}));
            try (SparseModel good = SparseModel.of(right, 1);
                    SparseModel bad = SparseModel.of(wrong, 1)) {
                torch.manual_seed(1);
                List<Tensor> images = List.of(torch.randn(16, 3, 32, 32));
                Comparison fine = compare(good, module, exact, images);
                assertThat(fine.largestError()).isLessThanOrEqualTo(fine.bound());
                Comparison off = compare(bad, module, exact, images);
                assertThat(off.largestError()).isGreaterThan(2 * off.bound());
            }
        }
    }

    private static Comparison compare(
            SparseModel sparse, ScriptModule module, ScriptModule exact, List<Tensor> images) {
        return RuntimeCheck.compare(new RuntimeCheck.Three(sparse::logits, module::forward, exact::forward), images);
    }

    @Test
    void whatIsNoNumberFails() {
        Network network = Zoo.build("lenet-300-100", new Shape(1, 4, 4), 3);
        Findings findings = new Findings();
        try (PointerScope scope = new PointerScope();
                CompactModel compact = compact(network, 1)) {
            compact.tensors().get("fc2.bias").fill_(new Scalar(Double.NaN));
            new RuntimeCheck(compact, network, findings).run();
            assertThat(findings.checks().get(0).outcome()).isEqualTo(Outcome.FAILED);
        }
    }
}
