package org.kofn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.kofn.compress.Compression;
import org.kofn.kernels.MaskedWeight;
import org.kofn.kernels.Reference;
import org.kofn.kernels.SparseConvolution;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.nn.Zoo;
import org.kofn.torch.OneDnn;

/** Gradients of the sparse pass against those of LibTorch's autograd through the whole module, on residual networks. */
class SparsePassTest {
    private static final Device CPU = new Device("cpu");
    private static final int BATCH = 6;
    private static final Shape SHAPE = new Shape(3, 10, 10);

    private PointerScope scope;
    private OneDnn.Setting withoutOneDnn;

    @BeforeEach
    void open() {
        assumeThat(SparseConvolution.available()).isTrue();
        scope = new PointerScope();
        // The plain convolutions of LibTorch: what is compared with should not depend on the processor.
        withoutOneDnn = OneDnn.disable();
        torch.manual_seed(3);
    }

    @AfterEach
    void close() {
        if (scope != null) {
            withoutOneDnn.close();
            scope.close();
        }
    }

    @Test
    void gradientsOfAResNetAreThoseOfTheDensePass() {
        compare("resnet-20", weight -> weight.layer().matches("layer.*"), 20);
    }

    @Test
    void soAreThoseWhereOnlySomeConvolutionsArePruned() {
        compare("resnet-20", weight -> weight.layer().matches("layer[12].*conv2"), 6);
    }

    @Test
    void soAreThoseOfTheFirstLayer() {
        compare("resnet-20", weight -> weight.type().equals("conv2d"), 21);
    }

    @Test
    void soAreThoseOfBiases() {
        compare("digits-cnn", weight -> weight.layer().equals("conv2"), 1);
    }

    /** The same step by both: loss, gradients, and the statistics of batch norms. */
    private static void compare(String model, Predicate<Network.Weight> pruned, int convolutions) {
        Shape shape = model.equals("digits-cnn") ? new Shape(1, 8, 8) : SHAPE;
        Network network = Zoo.build(model, shape, 10);
        try (ScriptModule one = TorchScriptCompiler.compile(network, 1, ScalarType.Float, CPU);
                ScriptModule two = TorchScriptCompiler.compile(network, 1, ScalarType.Float, CPU);
                Reference kernels = new Reference()) {
            torch.manual_seed(9);
            Compression dense = compression(kernels, network, one, pruned);
            torch.manual_seed(9);
            Compression sparse = compression(kernels, network, two, pruned);
            try (SparsePass pass = SparsePass.of(network, two, sparse, CPU, BATCH)) {
                assertThat(pass.convolutions()).isEqualTo(convolutions);
                for (int step = 0; step < 2; step++) {
                    Tensor images = torch.randn(BATCH, shape.channels(), shape.height(), shape.width());
                    Tensor labels = torch.randint(10, new long[] {BATCH}, new TensorOptions(ScalarType.Long));
                    double expected = step(dense, Pass.dense(one), images, labels);
                    assertThat(step(sparse, pass, images, labels))
                            .isCloseTo(expected, org.assertj.core.data.Offset.offset(1e-5));
                    assertNear(gradients(one), gradients(two), 2e-4);
                    assertNear(one.buffers(), two.buffers(), 1e-5);
                }
            }
        }
    }

    private static double step(Compression compression, Pass pass, Tensor images, Tensor labels) {
        try (PointerScope inner = new PointerScope()) {
            compression.apply(null);
            Tensor loss = torch.cross_entropy_loss(pass.forward(images), labels);
            compression.clearGradients();
            pass.backward(loss);
            return loss.item_double();
        }
    }

    /** Masks of kernels, a third kept at random; other weights are dense. */
    private static Compression compression(
            Reference kernels, Network network, ScriptModule module, Predicate<Network.Weight> wanted) {
        Map<String, MaskedWeight> pruned = new LinkedHashMap<>();
        for (Network.Weight weight : network.weights()) {
            if (wanted.test(weight)) {
                MaskLayout layout = MaskLayout.of(weight.layer(), Granularity.KERNEL, weight.shape(), 0, 1);
                MaskedWeight masked = Compression.latent(
                        weight.layer(),
                        pruned.size(),
                        layout,
                        module.parameters().get(weight.parameter()));
                masked.k(Math.max(1, layout.candidates() / 3));
                Tensor order = torch.rand(layout.groups(), layout.candidates()).argsort(1, false);
                masked.mask().copy_(order.lt(new Scalar(masked.k())));
                pruned.put(weight.parameter(), masked);
            }
        }
        Compression compression = new Compression(kernels, module.parameters(), pruned, null);
        compression.mode(Compression.Mode.FROZEN);
        return compression;
    }

    private static Map<String, Tensor> gradients(ScriptModule module) {
        Map<String, Tensor> gradients = new LinkedHashMap<>();
        module.parameters().forEach((name, tensor) -> {
            Tensor gradient = tensor.grad();
            // Of dropped kernels the dense pass has gradients too; nothing uses them.
            boolean masked = tensor.dim() == 4;
            gradients.put(
                    name,
                    masked ? gradient.mul(tensor.detach().ne(new Scalar(0)).to(ScalarType.Float)) : gradient);
        });
        return gradients;
    }

    private static void assertNear(Map<String, Tensor> expected, Map<String, Tensor> found, double relative) {
        assertThat(found.keySet()).isEqualTo(expected.keySet());
        try (NoGradGuard guard = new NoGradGuard()) {
            expected.forEach((name, tensor) -> {
                Tensor exact = tensor.to(ScalarType.Double);
                double off = found.get(name)
                        .to(ScalarType.Double)
                        .sub(exact)
                        .abs()
                        .max()
                        .item_double();
                assertThat(off)
                        .as(name)
                        .isLessThanOrEqualTo(
                                relative * (1e-3 + exact.abs().max().item_double()));
            });
        }
    }
}
