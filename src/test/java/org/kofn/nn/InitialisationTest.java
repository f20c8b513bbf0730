package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.kofn.torch.Tensors;

class InitialisationTest {
    /** conv: fan-in 32·9 = 288, fan-out 64·9 = 576; fc: fan-in 64·16 = 1024. */
    private static ScriptModule module(Initialisation init, long seed) {
        Network network = new Network(
                "net",
                new Shape(32, 4, 4),
                100,
                init,
                List.of(
                        new Layer.Conv2d("conv", "input", 32, 64, Window.square(3, 1, 1), 1, true),
                        new Layer.BatchNorm2d("bn", "conv", 64),
                        new Layer.Flatten("flat", "bn"),
                        new Layer.Linear("fc", "flat", 1024, 100, true)));
        return TorchScriptCompiler.compile(network, seed, ScalarType.Float, new Device("cpu"));
    }

    private static double[] moments(Tensor tensor) {
        float[] values = Tensors.floats(tensor);
        double sum = 0;
        double squares = 0;
        double largest = 0;
        for (float value : values) {
            sum += value;
            squares += value * value;
            largest = Math.max(largest, Math.abs(value));
        }
        double mean = sum / values.length;
        return new double[] {mean, Math.sqrt(squares / values.length - mean * mean), largest};
    }

    private static void isUniform(Tensor tensor, double bound) {
        double[] m = moments(tensor);
        assertThat(m[0]).isCloseTo(0, within(5 * bound / Math.sqrt(3.0 * tensor.numel())));
        assertThat(m[1]).isCloseTo(bound / Math.sqrt(3), within(bound * 3 / Math.sqrt(tensor.numel())));
        assertThat(m[2]).isBetween(bound * (1 - 20.0 / tensor.numel()), bound * (1 + 1e-6));
    }

    private static void isNormal(Tensor tensor, double std) {
        double[] m = moments(tensor);
        assertThat(m[0]).isCloseTo(0, within(5 * std / Math.sqrt(tensor.numel())));
        assertThat(m[1]).isCloseTo(std, within(5 * std / Math.sqrt(2.0 * tensor.numel())));
        assertThat(m[2]).isBetween(3 * std, 7 * std);
    }

    @Test
    void pytorchDrawsUniformlyByFanIn() {
        try (ScriptModule module = module(Initialisation.PYTORCH, 1)) {
            isUniform(module.parameters().get("conv.weight"), 1 / Math.sqrt(288));
            isUniform(module.parameters().get("conv.bias"), 1 / Math.sqrt(288));
            isUniform(module.parameters().get("fc.weight"), 1 / Math.sqrt(1024));
            isUniform(module.parameters().get("fc.bias"), 1 / Math.sqrt(1024));
        }
    }

    @Test
    void torchvisionsResNetDrawsConvolutionsNormallyByFanOut() {
        try (ScriptModule module = module(Initialisation.TORCHVISION_RESNET, 1)) {
            isNormal(module.parameters().get("conv.weight"), Math.sqrt(2.0 / 576));
            isUniform(module.parameters().get("fc.weight"), 1 / Math.sqrt(1024));
        }
    }

    @Test
    void torchvisionsVggHasNoBiasAndSmallLinearWeights() {
        try (ScriptModule module = module(Initialisation.TORCHVISION_VGG, 1)) {
            isNormal(module.parameters().get("conv.weight"), Math.sqrt(2.0 / 576));
            isNormal(module.parameters().get("fc.weight"), 0.01);
            assertThat(Tensors.floats(module.parameters().get("conv.bias"))).containsOnly(0);
            assertThat(Tensors.floats(module.parameters().get("fc.bias"))).containsOnly(0);
        }
    }

    @Test
    void batchNormsStartAsTheIdentity() {
        for (Initialisation init : Initialisation.values()) {
            try (ScriptModule module = module(init, 1)) {
                assertThat(Tensors.floats(module.parameters().get("bn.weight"))).containsOnly(1);
                assertThat(Tensors.floats(module.parameters().get("bn.bias"))).containsOnly(0);
                assertThat(Tensors.floats(module.buffers().get("bn.running_mean")))
                        .containsOnly(0);
                assertThat(Tensors.floats(module.buffers().get("bn.running_var")))
                        .containsOnly(1);
                assertThat(Tensors.longs(module.buffers().get("bn.num_batches_tracked")))
                        .containsExactly(0);
            }
        }
    }

    @Test
    void theSeedDecidesAndEveryTensorHasItsOwnNumbers() {
        try (ScriptModule a = module(Initialisation.PYTORCH, 7);
                ScriptModule b = module(Initialisation.PYTORCH, 7);
                ScriptModule c = module(Initialisation.PYTORCH, 8)) {
            for (String name : List.of("conv.weight", "conv.bias", "fc.weight", "fc.bias")) {
                assertThat(Tensors.bytes(a.parameters().get(name)))
                        .isEqualTo(Tensors.bytes(b.parameters().get(name)))
                        .isNotEqualTo(Tensors.bytes(c.parameters().get(name)));
            }
            float[] weight = Tensors.floats(a.parameters().get("conv.weight"));
            float[] bias = Tensors.floats(a.parameters().get("conv.bias"));
            assertThat(Arrays.copyOf(weight, bias.length)).isNotEqualTo(bias);
        }
    }
}
