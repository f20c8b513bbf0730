package org.kofn.prune;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Draw;
import org.kofn.kernels.Gradients;
import org.kofn.kernels.GumbelNoise;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.LogitLayer;
import org.kofn.kernels.MaskedWeight;
import org.kofn.mask.Granularity;
import org.kofn.torch.Tensors;

/**
 * Dynamic Probabilistic Pruning (Gonzalez-Carabarin, Huijben, Veeling, Schmid, van Sloun: "Dynamic Probabilistic
 * Pruning: A General Framework for Hardware-Constrained Pruning at Different Granularities", IEEE TNNLS 2024,
 * arXiv:2105.12686).
 *
 * <p>Every candidate has a logit φ of its own, independent of the weight's magnitude. A step draws exactly k of n
 * candidates a group by Gumbel top-k, y = φ + s·g; the gradient reaches φ straight through to the relaxed draw at
 * temperature τ ({@link Kernels#sampleBackward}). At the end the mask is the noise-free top-k of φ.
 *
 * <p>Three departures from the authors' code, each an error there: masks reach the weight by a transpose, never by a
 * reshape; winners are drawn in the order of y, not of their index; nothing is sampled at test time.
 */
public final class DynamicProbabilisticPruning implements PruningMethod {
    /** Separates the draws that initialise logits from those of training steps, whose step is never negative. */
    private static final int INITIAL = -1;

    /**
     * The method's settings.
     *
     * @param seed the run's seed
     * @param fromMagnitude logits start from the latent weight's magnitude instead of at random
     * @param initStd standard deviation of the random logits; null: 0.5 for weights, 1 for kernels and filters (the
     *     authors' values)
     * @param denseGradient whether dropped weights learn too
     */
    public record Settings(long seed, boolean fromMagnitude, Double initStd, boolean denseGradient) {}

    private final Kernels kernels;
    private final Settings settings;
    private final List<LogitLayer> layers = new ArrayList<>();
    private final Map<String, Tensor> logits = new LinkedHashMap<>();
    private Draw draw;

    /** The method over these weights; logits are random until {@link #begin}. */
    public DynamicProbabilisticPruning(Kernels kernels, List<MaskedWeight> weights, Settings settings) {
        this.kernels = kernels;
        this.settings = settings;
        try (NoGradGuard guard = new NoGradGuard()) {
            for (MaskedWeight weight : weights) {
                Tensor phi = random(weight);
                layers.add(new LogitLayer(weight, phi, Tensors.keep(torch.zeros_like(phi))));
                logits.put(weight.layer(), phi);
            }
        }
    }

    @Override
    public String name() {
        return "dpp";
    }

    @Override
    public void begin() {
        if (settings.fromMagnitude()) {
            try (NoGradGuard guard = new NoGradGuard();
                    PointerScope scope = new PointerScope()) {
                layers.forEach(layer -> layer.logits().copy_(relativeMagnitude(layer.weight())));
            }
        }
    }

    @Override
    public void apply(PruneStep step) {
        draw = new Draw(
                settings.seed(),
                step.step(),
                step.temperature(),
                step.noise(),
                step.entropy(),
                settings.denseGradient());
        kernels.sample(layers, draw);
    }

    @Override
    public void backward() {
        kernels.sampleBackward(layers, draw);
        for (LogitLayer layer : layers) {
            // With k = n there is nothing to choose: the mask is all ones whatever the logits say.
            if (layer.weight().k() == layer.weight().layout().candidates()) {
                Gradients.clear(layer.logits());
            } else {
                Gradients.set(layer.logits(), layer.gradient());
            }
        }
    }

    @Override
    public void freeze() {
        kernels.select(layers);
    }

    @Override
    public Map<String, Tensor> logits() {
        return logits;
    }

    /** φ ~ N(0, σ²), a function of the seed and the layer alone. */
    private Tensor random(MaskedWeight weight) {
        Granularity granularity = weight.layout().granularity();
        boolean coarse = granularity == Granularity.KERNEL || granularity == Granularity.FILTER;
        double std = settings.initStd() != null ? settings.initStd() : coarse ? 1.0 : 0.5;
        long g = weight.layout().groups();
        long n = weight.layout().candidates();
        try (PointerScope scope = new PointerScope()) {
            Tensor a = uniform(weight.index(), 0, g, n);
            Tensor b = uniform(weight.index(), 1, g, n);
            // Box and Muller, "A note on the generation of random normal deviates" (1958).
            Tensor normal = a.log()
                    .mul_(new Scalar(-2.0))
                    .sqrt_()
                    .mul_(b.mul_(new Scalar(2 * Math.PI)).cos_());
            Tensor phi = normal.mul_(new Scalar(std))
                    .to(weight.latent().device(), weight.latent().scalar_type(), false, true, null);
            return Tensors.keep(phi);
        }
    }

    /** Uniform numbers in (0, 1): exp(−E) with the exponential E = exp(−g) behind Gumbel noise g. */
    private Tensor uniform(int layer, int which, long groups, long candidates) {
        Tensor noise = GumbelNoise.of(settings.seed(), INITIAL - which, layer, groups, candidates, ScalarType.Double);
        try (noise) {
            return noise.neg().exp_().neg_().exp_();
        }
    }

    /**
     * The L2 norm of each candidate over the mean norm of its group, minus one, halved: mean 0, the scale of random
     * logits.
     */
    private static Tensor relativeMagnitude(MaskedWeight weight) {
        Tensor norm = Magnitude.norms(weight);
        Tensor mean = norm.mean(new long[] {1}, true, new org.bytedeco.pytorch.ScalarTypeOptional());
        return norm.div(mean.clamp_min(new Scalar(1e-12))).sub(new Scalar(1.0)).mul_(new Scalar(0.5));
    }
}
