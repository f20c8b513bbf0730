package org.kofn.compress;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.MaskedWeight;
import org.kofn.kernels.Reference;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.prune.Magnitude;
import org.kofn.torch.Tensors;

/** The bridge between masters and the module's tensors, over a linear map y = x·Wᵀ + b. */
class CompressionTest {
    private PointerScope scope;

    @BeforeEach
    void open() {
        scope = new PointerScope();
        torch.manual_seed(5);
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Compression compression(Map<String, Tensor> module) {
        Kernels kernels = new Reference();
        MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {4, 6}, 0, 1);
        MaskedWeight weight = Compression.latent("fc", 0, layout, module.get("fc.weight"));
        weight.k(2);
        Magnitude method = new Magnitude(kernels, List.of(weight), 16, true);
        return new Compression(kernels, module, Map.of("fc.weight", weight), method);
    }

    private static Map<String, Tensor> module(ScalarType type) {
        Map<String, Tensor> module = new LinkedHashMap<>();
        module.put("fc.weight", torch.randn(4, 6).to(type));
        module.put("fc.bias", torch.randn(4).to(type));
        module.values().forEach(tensor -> tensor.requires_grad_(true));
        return module;
    }

    private static void trainOnce(Map<String, Tensor> module, Compression compression) {
        Tensor x = torch.randn(3, 6).to(module.get("fc.weight").scalar_type());
        Tensor y = x.matmul(module.get("fc.weight").t()).add(module.get("fc.bias"));
        compression.clearGradients();
        y.to(ScalarType.Float).square().sum().backward();
        compression.backward();
    }

    @Test
    void anUnprunedFp32ParameterIsItsOwnMaster() {
        Map<String, Tensor> module = module(ScalarType.Float);
        Compression compression = compression(module);
        assertThat(compression.masters().get("fc.bias")).isSameAs(module.get("fc.bias"));
        assertThat(compression.masters().get("fc.weight")).isNotSameAs(module.get("fc.weight"));
    }

    @Test
    void lowerPrecisionHasFp32MastersWithGradients() {
        Map<String, Tensor> module = module(ScalarType.BFloat16);
        Compression compression = compression(module);
        compression.mode(Compression.Mode.FROZEN);
        compression.masters().values().forEach(master -> assertThat(
                        master.scalar_type().intern())
                .isEqualTo(ScalarType.Float));
        compression.masters().get("fc.bias").fill_(new Scalar(1.5));
        compression.apply(null);
        assertThat(module.get("fc.bias").scalar_type().intern()).isEqualTo(ScalarType.BFloat16);
        assertThat(Tensors.floats(module.get("fc.bias"))).containsOnly(1.5f);
        trainOnce(module, compression);
        for (Tensor master : compression.masters().values()) {
            assertThat(master.grad().scalar_type().intern()).isEqualTo(ScalarType.Float);
            assertThat(master.grad().abs().sum().item_double()).isPositive();
        }
    }

    @Test
    void denseModeComputesWithTheLatentWeight() {
        Map<String, Tensor> module = module(ScalarType.Float);
        Compression compression = compression(module);
        compression.masters().get("fc.weight").fill_(new Scalar(-2));
        compression.apply(null);
        assertThat(Tensors.floats(module.get("fc.weight"))).containsOnly(-2f);
    }

    @Test
    void frozenMasksStayAndOnlyKeptWeightsLearn() {
        Map<String, Tensor> module = module(ScalarType.Float);
        Compression compression = compression(module);
        compression.mode(Compression.Mode.PRUNE);
        compression.freeze();
        compression.mode(Compression.Mode.FROZEN);
        MaskedWeight weight = compression.pruned().get(0);
        byte[] mask = Tensors.bytes(weight.mask());
        weight.latent().mul_(torch.randn(4, 6));
        compression.apply(null);
        compression.freeze();
        assertThat(Tensors.bytes(weight.mask())).isEqualTo(mask);
        trainOnce(module, compression);
        float[] gradient = Tensors.floats(weight.latent().grad());
        float[] effective = Tensors.floats(weight.effective());
        for (int i = 0; i < mask.length; i++) {
            if (mask[i] == 0) {
                assertThat(gradient[i]).isZero();
                assertThat(Float.floatToRawIntBits(effective[i])).isZero();
            } else {
                assertThat(gradient[i]).isNotZero();
            }
        }
    }

    @Test
    void gradientsDoNotAddUpOverSteps() {
        Map<String, Tensor> module = module(ScalarType.Float);
        Compression compression = compression(module);
        compression.apply(null);
        torch.manual_seed(1);
        trainOnce(module, compression);
        float[] first = Tensors.floats(module.get("fc.bias").grad());
        torch.manual_seed(1);
        trainOnce(module, compression);
        assertThat(Tensors.floats(module.get("fc.bias").grad())).isEqualTo(first);
    }
}
