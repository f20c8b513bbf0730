package org.kofn.kernels;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.torch.Tensors;

/**
 * The kernels in LibTorch operations: any device, any floating type, plain to read. Its double-precision form is the
 * oracle of every faster implementation.
 *
 * <p>Unlike a native kernel it keeps the perturbed logits of a step for the backward, instead of drawing the noise
 * again.
 */
public final class Reference implements Kernels {
    /**
     * What {@link #sample} leaves for {@link #sampleBackward}: y [G, n], and its k largest, descending, with indices.
     */
    private record Sampled(Tensor perturbed, Tensor values, Tensor indices) {
        void close() {
            perturbed.close();
            values.close();
            indices.close();
        }
    }

    private static final Scalar ZERO = Tensors.keep(new Scalar(0.0));

    private final boolean generatorNoise;
    private final Map<MaskedWeight, Sampled> last = new HashMap<>();

    /** The oracle: noise is {@link GumbelNoise}, and masks are those of every other implementation. */
    public Reference() {
        this(false);
    }

    private Reference(boolean generatorNoise) {
        this.generatorNoise = generatorNoise;
    }

    /**
     * The same operations with noise of LibTorch's own generator, as one would write it in PyTorch: made to be
     * measured. Its masks are neither reproducible from (seed, step, layer) nor those of other implementations.
     */
    public static Reference withGeneratorNoise() {
        return new Reference(true);
    }

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public void close() {
        last.values().forEach(Sampled::close);
        last.clear();
    }

    @Override
    public void sample(List<LogitLayer> layers, Draw draw) {
        try (NoGradGuard guard = new NoGradGuard()) {
            for (LogitLayer layer : layers) {
                try (PointerScope scope = new PointerScope()) {
                    Tensor y = perturbed(layer, draw);
                    TopK top = choose(layer.weight(), y);
                    Sampled before = last.put(
                            layer.weight(),
                            new Sampled(Tensors.keep(y), Tensors.keep(top.values()), Tensors.keep(top.indices())));
                    if (before != null) {
                        before.close();
                    }
                }
            }
        }
    }

    @Override
    public void sampleBackward(List<LogitLayer> layers, Draw draw) {
        try (NoGradGuard guard = new NoGradGuard()) {
            for (LogitLayer layer : layers) {
                try (PointerScope scope = new PointerScope()) {
                    MaskedWeight weight = layer.weight();
                    Sampled sampled = last.get(weight);
                    if (sampled == null) {
                        throw new IllegalStateException("layer " + weight.layer() + " was not sampled");
                    }
                    Tensor upstream = gradientOfEffective(weight);
                    Tensor v = weight.layout().reduce(upstream.mul(weight.latent()));
                    KHotGradient.write(
                            sampled.perturbed(),
                            sampled.values(),
                            sampled.indices(),
                            v,
                            draw.temperature(),
                            layer.gradient());
                    if (draw.entropy() != 0) {
                        addEntropyGradient(layer, draw.entropy());
                    }
                    Gradients.set(weight.latent(), gradientOfLatent(weight, upstream, draw.denseGradient()));
                }
            }
        }
    }

    @Override
    public void select(List<LogitLayer> layers) {
        try (NoGradGuard guard = new NoGradGuard()) {
            for (LogitLayer layer : layers) {
                try (PointerScope scope = new PointerScope()) {
                    choose(layer.weight(), layer.logits());
                }
            }
        }
    }

    @Override
    public void apply(List<MaskedWeight> weights) {
        try (NoGradGuard guard = new NoGradGuard()) {
            for (MaskedWeight weight : weights) {
                try (PointerScope scope = new PointerScope()) {
                    writeEffective(weight);
                }
            }
        }
    }

    @Override
    public void applyBackward(List<MaskedWeight> weights, boolean dense) {
        try (NoGradGuard guard = new NoGradGuard()) {
            for (MaskedWeight weight : weights) {
                try (PointerScope scope = new PointerScope()) {
                    Tensor upstream = gradientOfEffective(weight);
                    Gradients.set(weight.latent(), gradientOfLatent(weight, upstream, dense));
                }
            }
        }
    }

    /** y = φ + s·g in the logits' type, in two roundings; zeros are made positive, as the native kernels do. */
    private Tensor perturbed(LogitLayer layer, Draw draw) {
        Tensor logits = layer.logits();
        if (draw.noise() == 0) {
            return logits.add(ZERO);
        }
        if (generatorNoise) {
            return generated(logits).mul_(new Scalar(draw.noise())).add_(logits);
        }
        ScalarType type = logits.scalar_type().intern();
        long[] size = Tensors.shape(logits);
        try (Tensor noise =
                GumbelNoise.of(draw.seed(), draw.step(), layer.weight().index(), size[0], size[1], type)) {
            return noise.to(logits.device(), type)
                    .mul_(new Scalar(draw.noise()))
                    .add_(logits)
                    .add_(ZERO);
        }
    }

    /**
     * Gumbel noise of LibTorch's generator, by the quicker of the two customary ways: where LibTorch comes without MKL,
     * as here, its {@code exponential_} on the CPU takes several times as long as uniform numbers and two logarithms.
     */
    private static Tensor generated(Tensor logits) {
        Tensor noise = torch.empty_like(logits);
        Tensor exponential = logits.is_cuda()
                ? noise.exponential_()
                : noise.uniform_(1e-10, 1, new GeneratorOptional()).log_().neg_();
        return exponential.log_().neg_();
    }

    /** Writes mask and effective weight from scores; returns the winners in descending order. */
    private static TopK choose(MaskedWeight weight, Tensor scores) {
        TopK top = TopK.of(scores, weight.k());
        // Not-a-numbers come through minimum and maximum.
        T_TensorTensor_T ends = scores.aminmax();
        if (!Double.isFinite(ends.get0().item_double())
                || !Double.isFinite(ends.get1().item_double())) {
            throw KofnException.diverged("layer %s: its logits are not finite numbers", weight.layer());
        }
        weight.mask().zero_().scatter_(1, top.indices(), new Scalar(1));
        writeEffective(weight);
        return top;
    }

    /**
     * Weff = M ? W : +0. Not a product: that would turn a dropped negative weight into −0, and an infinite one into
     * NaN.
     */
    private static void writeEffective(MaskedWeight weight) {
        weight.effective().view(weight.layout().view()).copy_(masked(weight, weight.latent()));
    }

    /** The kept values, the others zero, with the axes of the layout's view. */
    private static Tensor masked(MaskedWeight weight, Tensor values) {
        Tensor mask = weight.layout().spread(weight.mask());
        return torch.where(mask, values.view(weight.layout().view()), new Scalar(0));
    }

    /** ∂L/∂W from ∂L/∂Weff: as it is, or with the dropped weights' part at zero. */
    private static Tensor gradientOfLatent(MaskedWeight weight, Tensor upstream, boolean dense) {
        return dense
                ? upstream
                : masked(weight, upstream).contiguous().view(weight.layout().shape());
    }

    private static Tensor gradientOfEffective(MaskedWeight weight) {
        return weight.effective().grad().to(weight.latent().scalar_type()).contiguous();
    }

    /** ∂(β·H)/∂φ_j = −β·p_j(log p_j + H) with p = softmax φ, added to the gradient. */
    private static void addEntropyGradient(LogitLayer layer, double beta) {
        Tensor logP = layer.logits().log_softmax(1);
        Tensor p = logP.exp();
        Tensor entropy = p.mul(logP)
                .sum(new long[] {1}, true, new org.bytedeco.pytorch.ScalarTypeOptional())
                .neg();
        layer.gradient().add_(p.mul(logP.add(entropy)), new Scalar(-beta));
    }
}
