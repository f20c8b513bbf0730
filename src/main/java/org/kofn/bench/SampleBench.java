package org.kofn.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.kofn.kernels.Draw;
import org.kofn.kernels.Gradients;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.LogitLayer;
import org.kofn.kernels.MaskedWeight;
import org.kofn.kernels.Reference;
import org.kofn.torch.Devices;

/**
 * Sampling and its gradient: the kernels against the same in LibTorch operations.
 *
 * <p>Both sides work on the same tensors of random normal numbers, which for small cases stay in the caches, as they
 * would not in training.
 */
public final class SampleBench {
    /** What the kernels are compared with. */
    public enum Baseline {
        /** LibTorch's operations and generator: what one would write with LibTorch alone. The harder one to beat. */
        GENERATOR("LibTorch operations, LibTorch's generator"),
        /** {@link Reference} as it is: LibTorch's operations on noise drawn in Java, the same masks as the kernels'. */
        REFERENCE("LibTorch operations, noise drawn in Java");

        private final String words;

        Baseline(String words) {
            this.words = words;
        }

        Kernels kernels() {
            return this == GENERATOR ? Reference.withGeneratorNoise() : new Reference();
        }
    }

    private final Device device;
    private final Baseline baseline;
    private final Supplier<Kernels.Choice> kernels;
    private final Kernels.Choice choice;
    private final Comparison comparison;
    private final double copyBandwidth;

    /**
     * Measurements on a device; the bandwidth of its memory is measured at once.
     *
     * @param kernels what {@link Kernels#choose} takes
     */
    public SampleBench(Device device, String kernels, Baseline baseline, Effort effort) {
        this(device, () -> Kernels.choose(kernels, device), baseline, effort);
    }

    /** Measurements of the kernels that are supplied, anew for every case. */
    SampleBench(Device device, Supplier<Kernels.Choice> kernels, Baseline baseline, Effort effort) {
        this.device = device;
        this.baseline = baseline;
        this.kernels = kernels;
        this.choice = kernels.get();
        Stopwatch stopwatch = Stopwatch.of(device);
        this.comparison = new Comparison(stopwatch, effort);
        this.copyBandwidth = CopyBandwidth.measure(device, stopwatch);
    }

    /** The implementation that is measured, and why it was chosen. */
    public Kernels.Choice choice() {
        return choice;
    }

    /** Bytes a second that a copy reads and writes. */
    public double copyBandwidth() {
        return copyBandwidth;
    }

    /** Measures a case. */
    public SampleResult run(SampleCase sampleCase) {
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            torch.manual_seed(1);
            List<LogitLayer> layers = layers(sampleCase);
            // Kernels keep tables and intermediate results of the layers they saw: new ones for every case.
            try (Kernels theirs = baseline.kernels();
                    Kernels ours = kernels.get().kernels()) {
                return result(sampleCase, comparison.run(passes(theirs, layers), passes(ours, layers)));
            } finally {
                layers.forEach(layer -> layer.weight().mask().close());
            }
        }
    }

    private List<LogitLayer> layers(SampleCase sampleCase) {
        TensorOptions options = new TensorOptions(device);
        List<LogitLayer> layers = new ArrayList<>();
        for (SampleCase.Layer layer : sampleCase.layers()) {
            Tensor latent = torch.randn(layer.layout().shape(), options);
            Tensor effective = torch.empty_like(latent);
            Gradients.set(effective, torch.randn(layer.layout().shape(), options));
            MaskedWeight weight = new MaskedWeight(layer.layer(), layers.size(), layer.layout(), latent, effective);
            weight.k(layer.k());
            long[] size = {layer.layout().groups(), layer.layout().candidates()};
            Tensor logits = torch.randn(size, options);
            layers.add(new LogitLayer(weight, logits, torch.empty_like(logits)));
        }
        return layers;
    }

    /** Forward and backward of step after step. */
    private static List<Runnable> passes(Kernels kernels, List<LogitLayer> layers) {
        int[] step = {0};
        return List.of(
                () -> kernels.sample(layers, draw(++step[0])), () -> kernels.sampleBackward(layers, draw(step[0])));
    }

    private static Draw draw(int step) {
        return new Draw(1, step, 1, 1, 0, true);
    }

    private SampleResult result(SampleCase sampleCase, Comparison.Result result) {
        Comparison.Side baseline = result.baseline();
        Comparison.Side ours = result.ours();
        double seconds = ours.total().median() / 1e3;
        double forward = sampleCase.forwardBytes() / ours.parts().get(0).median() * 1e3;
        double backward = sampleCase.backwardBytes() / ours.parts().get(1).median() * 1e3;
        double both = (sampleCase.forwardBytes() + sampleCase.backwardBytes()) / seconds;
        return new SampleResult(
                sampleCase.name(),
                baseline.total().median(),
                ours.total().median(),
                result.ratio(),
                ours.total().n(),
                baseline.parts().get(0).median(),
                ours.parts().get(0).median(),
                baseline.parts().get(0).median() / ours.parts().get(0).median(),
                baseline.parts().get(1).median(),
                ours.parts().get(1).median(),
                baseline.parts().get(1).median() / ours.parts().get(1).median(),
                baseline.total().p20(),
                baseline.total().p80(),
                ours.total().p20(),
                ours.total().p80(),
                sampleCase.layers().size(),
                sampleCase.candidates(),
                sampleCase.weights(),
                sampleCase.candidates() / seconds,
                both,
                both / copyBandwidth,
                forward,
                forward / copyBandwidth,
                backward,
                backward / copyBandwidth,
                copyBandwidth,
                this.baseline.words,
                choice.kernels().name(),
                Devices.describe(device),
                torch.get_num_threads());
    }
}
