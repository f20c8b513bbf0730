package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;

/** Both passes against LibTorch's convolution and autograd in double precision, over the weight with its zeros. */
class SparseConvolutionTest {
    private static final Device CPU = Tensors.keep(new Device("cpu"));

    /** The first GPU; where there is none, the CPU, where the CUDA kernels are emulated. */
    private static final Device CUDA = Devices.cudaAvailable() ? Tensors.keep(new Device("cuda:0")) : CPU;

    @BeforeEach
    void assumeNative() {
        assumeThat(SparseConvolution.available()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        // granularity, O, n, R, k, m, share, batch, height, width, stride, padding, bias
        "KERNEL, 8, 12, 3, 3, 0, 1, 2, 9, 11, 1, 1, true",
        "KERNEL, 8, 12, 3, 5, 0, 4, 3, 8, 8, 2, 1, false",
        "KERNEL, 6, 5, 5, 2, 0, 1, 17, 4, 4, 1, 2, true",
        "KERNEL, 4, 16, 1, 1, 0, 2, 16, 5, 7, 1, 0, true",
        "KERNEL, 7, 3, 3, 3, 0, 1, 33, 2, 1, 1, 1, false",
        "WEIGHT, 6, 10, 1, 4, 0, 1, 4, 6, 6, 2, 0, true",
        "N_M, 6, 12, 1, 2, 4, 2, 5, 7, 7, 1, 0, false",
    })
    void gradientsAreThoseOfADenseConvolution(
            Granularity granularity,
            int outputs,
            int inputs,
            int window,
            int k,
            int m,
            int share,
            int batch,
            int height,
            int width,
            int stride,
            int padding,
            boolean bias) {
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(outputs + window);
            long[] shape = {outputs, inputs, window, window};
            MaskLayout layout = MaskLayout.of("conv", granularity, shape, m, share);
            SparseConvolution.Geometry geometry = new SparseConvolution.Geometry(
                    batch, new int[] {height, width}, new int[] {stride, stride}, new int[] {padding, padding});
            for (boolean cuda : new boolean[] {false, true}) {
                Device device = cuda ? CUDA : CPU;
                MaskedWeight weight = weight(layout, k, device);
                Tensor added = bias ? torch.randn(outputs).to(device, ScalarType.Float) : null;
                assertThat(SparseConvolution.computes(weight, geometry)).isTrue();
                try (FrozenConvolution convolution = cuda
                        ? new CudaSparseConvolution(weight, added, geometry)
                        : new SparseConvolution(weight, added, geometry)) {
                    // The second step has other weights in the same places.
                    for (int step = 0; step < 2; step++) {
                        drawWeights(weight);
                        Tensor x = torch.randn(batch, inputs, height, width).to(device, ScalarType.Float);
                        check(convolution, weight, added, x, stride, padding);
                    }
                }
            }
        }
    }

    private static void check(
            FrozenConvolution convolution, MaskedWeight weight, Tensor bias, Tensor x, int stride, int padding) {
        Tensor exactX = x.to(ScalarType.Double).requires_grad_(true);
        Tensor exactW = weight.effective().to(ScalarType.Double).requires_grad_(true);
        Tensor exactB = bias == null ? new Tensor() : bias.to(ScalarType.Double).requires_grad_(true);
        Tensor exact = torch.conv2d(
                exactX,
                exactW,
                bias == null ? new TensorOptional() : new TensorOptional(exactB),
                new long[] {stride, stride},
                new long[] {padding, padding},
                new long[] {1, 1},
                1);
        Tensor y = convolution.forward(x);
        assertNear(y, exact);
        Tensor dy = torch.randn(Tensors.shape(y)).to(x.device(), ScalarType.Float);
        exact.backward(dy.to(ScalarType.Double), new org.bytedeco.pytorch.BoolOptional(), false, null);
        SparseConvolution.Gradient gradient = convolution.backward(dy, true);
        assertNear(gradient.input(), exactX.grad());
        Tensor mask = weight.effective().ne(new Scalar(0)).to(ScalarType.Double);
        assertNear(gradient.weight(), exactW.grad().mul(mask));
        if (bias == null) {
            assertThat(gradient.bias()).isNull();
        } else {
            assertNear(gradient.bias(), exactB.grad());
        }
    }

    @Test
    void whatTheKernelsDoNotCompute() {
        SparseConvolution.Geometry plain =
                new SparseConvolution.Geometry(1, new int[] {8, 8}, new int[] {1, 1}, new int[] {1, 1});
        try (PointerScope scope = new PointerScope()) {
            long[] shape = {4, 8, 3, 3};
            assertThat(SparseConvolution.computes(
                            weight(MaskLayout.of("c", Granularity.KERNEL, shape, 0, 1), 2, CPU), plain))
                    .isTrue();
            for (Granularity other : new Granularity[] {Granularity.WEIGHT, Granularity.FILTER, Granularity.N_M}) {
                assertThat(SparseConvolution.computes(weight(MaskLayout.of("c", other, shape, 4, 1), 2, CPU), plain))
                        .as(other.label())
                        .isFalse();
            }
            SparseConvolution.Geometry padded =
                    new SparseConvolution.Geometry(1, new int[] {8, 8}, new int[] {1, 1}, new int[] {4, 1});
            assertThat(SparseConvolution.computes(
                            weight(MaskLayout.of("c", Granularity.KERNEL, shape, 0, 1), 2, CPU), padded))
                    .isFalse();
        }
    }

    /** A weight with k of n kept at random. */
    private static MaskedWeight weight(MaskLayout layout, int k, Device device) {
        Tensor latent = torch.zeros(layout.shape()).to(device, ScalarType.Float);
        MaskedWeight weight = new MaskedWeight("conv", 0, layout, latent, latent.clone());
        weight.k(k);
        Tensor order = torch.rand(layout.groups(), layout.candidates()).argsort(1, false);
        weight.mask().copy_(order.lt(new Scalar(k)));
        return weight;
    }

    private static void drawWeights(MaskedWeight weight) {
        try (NoGradGuard guard = new NoGradGuard();
                Reference kernels = new Reference()) {
            weight.latent().copy_(torch.randn(weight.layout().shape()));
            kernels.apply(java.util.List.of(weight));
        }
    }

    private static void assertNear(Tensor found, Tensor expected) {
        Tensor exact = expected.detach();
        double off = found.to(ScalarType.Double).sub(exact).abs().max().item_double();
        assertThat(off).isLessThanOrEqualTo(1e-5 * (1 + exact.abs().max().item_double()));
    }
}
