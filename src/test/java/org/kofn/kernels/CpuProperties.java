package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/**
 * The native kernels, called from Java, against {@link Reference}: that tables, strides and pointers are right. What
 * they compute is tested more widely beside them, in {@code cuda/}.
 */
class CpuProperties {
    private static final double[] TEMPERATURES = {5, 1, 0.5, 0.1};

    /** Two layers in one call, of any layout; masks and effective weights bit for bit, gradients to rounding. */
    @Property(tries = 300)
    void sameMasksAndGradientsAsReference(
            @ForAll @IntRange(min = 0, max = 3) int granularity, @ForAll boolean half, @ForAll long seed) {
        // An assumption would reject every try, which jqwik calls a failure; NativeLibraryTest sees what does not load.
        if (!NativeLibrary.cpu().loads()) {
            return;
        }
        Random random = new Random(seed);
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(seed);
            List<LogitLayer> reference = new ArrayList<>();
            List<LogitLayer> ours = new ArrayList<>();
            for (int index = 0; index < 2; index++) {
                MaskLayout layout = layout(Granularity.values()[(granularity + index) % 4], random);
                long k = 1 + random.nextInt((int) layout.candidates());
                Tensor latent = torch.randn(layout.shape());
                Tensor logits = torch.randn(new long[] {layout.groups(), layout.candidates()});
                Tensor upstream = torch.randn(layout.shape()).to(half ? ScalarType.BFloat16 : ScalarType.Float);
                reference.add(layer(index, layout, k, latent, logits, upstream));
                ours.add(layer(index, layout, k, latent.clone(), logits, upstream));
            }
            boolean dense = random.nextBoolean();
            double tau = TEMPERATURES[random.nextInt(4)];
            Draw draw = new Draw(seed, random.nextInt(1000), tau, random.nextInt(3) * 0.5, 0.01, dense);
            compare(reference, ours, draw);
        }
    }

    private static void compare(List<LogitLayer> reference, List<LogitLayer> ours, Draw draw) {
        Kernels oracle = new Reference();
        Kernels cpu = new Cpu();
        oracle.sample(reference, draw);
        cpu.sample(ours, draw);
        oracle.sampleBackward(reference, draw);
        cpu.sampleBackward(ours, draw);
        for (int i = 0; i < ours.size(); i++) {
            assertSameMask(ours.get(i), reference.get(i));
            assertThat(bits(ours.get(i).weight().latent().grad()))
                    .isEqualTo(bits(reference.get(i).weight().latent().grad()));
            Tensor expected = reference.get(i).gradient();
            Tensor actual = ours.get(i).gradient();
            double scale = expected.abs().max().item_double();
            double error = actual.sub(expected).abs().max().item_double();
            assertThat(error).as("%s %s", ours.get(i).weight().layout(), draw).isLessThanOrEqualTo(2e-4 * scale + 1e-9);
        }
        oracle.select(reference);
        cpu.select(ours);
        for (int i = 0; i < ours.size(); i++) {
            assertSameMask(ours.get(i), reference.get(i));
        }
        List<MaskedWeight> weights = ours.stream().map(LogitLayer::weight).toList();
        weights.forEach(weight -> weight.effective().fill_(new Scalar(7)));
        cpu.apply(weights);
        for (boolean dense : new boolean[] {false, true}) {
            cpu.applyBackward(weights, dense);
            oracle.applyBackward(reference.stream().map(LogitLayer::weight).toList(), dense);
            for (int i = 0; i < ours.size(); i++) {
                assertSameMask(ours.get(i), reference.get(i));
                assertThat(bits(ours.get(i).weight().latent().grad()))
                        .isEqualTo(bits(reference.get(i).weight().latent().grad()));
            }
        }
    }

    private static void assertSameMask(LogitLayer ours, LogitLayer reference) {
        assertThat(Tensors.bytes(ours.weight().mask()))
                .isEqualTo(Tensors.bytes(reference.weight().mask()));
        assertThat(bits(ours.weight().effective()))
                .isEqualTo(bits(reference.weight().effective()));
    }

    private static byte[] bits(Tensor tensor) {
        return Tensors.bytes(tensor);
    }

    private static MaskLayout layout(Granularity granularity, Random random) {
        int share = granularity == Granularity.FILTER ? 1 : 1 + random.nextInt(3);
        int m = 1 + random.nextInt(8);
        long[] shape = {
            (long) share * (1 + random.nextInt(5)),
            (long) m * (1 + random.nextInt(30)),
            1 + random.nextInt(3),
            1 + random.nextInt(3)
        };
        return MaskLayout.of("conv", granularity, shape, m, share);
    }

    private static LogitLayer layer(
            int index, MaskLayout layout, long k, Tensor latent, Tensor logits, Tensor upstream) {
        Tensor effective = torch.empty_like(upstream);
        Gradients.set(effective, upstream);
        MaskedWeight weight = new MaskedWeight("layer" + index, index, layout, latent, effective);
        weight.k(k);
        return new LogitLayer(weight, logits.clone(), torch.empty_like(logits));
    }

    @Example
    void logitsThatAreNotNumbersAreRefusedByLayer() {
        assumeNative();
        try (PointerScope scope = new PointerScope()) {
            MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {2, 3}, 0, 1);
            Tensor fine = torch.zeros(2, 3);
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
                Tensor logits = Tensors.of(new float[] {0, 1, 2, 3, bad, 5}, 2, 3);
                List<LogitLayer> layers = List.of(
                        layer(0, layout, 1, torch.ones(2, 3), fine, torch.ones(2, 3)),
                        layer(1, layout, 1, torch.ones(2, 3), logits, torch.ones(2, 3)));
                assertThatThrownBy(() -> new Cpu().select(layers))
                        .isInstanceOf(KofnException.class)
                        .hasMessage("layer layer1: its logits are not finite numbers");
            }
        }
    }

    @Example
    void doublePrecisionIsTheReferencesAlone() {
        assumeNative();
        try (PointerScope scope = new PointerScope()) {
            MaskLayout layout = MaskLayout.of("fc", Granularity.WEIGHT, new long[] {1, 3}, 0, 1);
            Tensor latent = torch.ones(1, 3).to(ScalarType.Double);
            LogitLayer layer = layer(0, layout, 1, latent, torch.zeros(1, 3), torch.ones(1, 3));
            assertThatThrownBy(() -> new Cpu().select(List.of(layer)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("layer0");
        }
    }

    private static void assumeNative() {
        assumeThat(NativeLibrary.cpu().loads()).as(NativeLibrary.cpu().state()).isTrue();
    }
}
