package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.torch.Tensors;

/**
 * Kernels that compute every call twice, by one implementation on the tensors that are given and by {@link Reference}
 * on copies, and compare: masks, effective weights and ∂L/∂W bit for bit, ∂L/∂φ to rounding.
 */
public final class CheckedKernels implements Kernels {
    private final Kernels checked;
    private final Kernels reference = new Reference();
    private final Map<MaskedWeight, LogitLayer> copies = new IdentityHashMap<>();
    private double worst;

    /** Checks this implementation. */
    public CheckedKernels(Kernels checked) {
        this.checked = checked;
    }

    /** The largest error of ∂L/∂φ so far, relative to the largest of its layer. */
    public double worst() {
        return worst;
    }

    @Override
    public String name() {
        return checked.name();
    }

    @Override
    public void sample(List<LogitLayer> layers, Draw draw) {
        checked.sample(layers, draw);
        reference.sample(layers.stream().map(this::copy).toList(), draw);
        layers.forEach(this::compareMasks);
    }

    @Override
    public void sampleBackward(List<LogitLayer> layers, Draw draw) {
        for (LogitLayer layer : layers) {
            // The optimiser has not yet moved what the sample was made of.
            Gradients.set(
                    copies.get(layer.weight()).weight().effective(),
                    layer.weight().effective().grad());
        }
        checked.sampleBackward(layers, draw);
        reference.sampleBackward(
                layers.stream().map(layer -> copies.get(layer.weight())).toList(), draw);
        layers.forEach(this::compareGradients);
    }

    @Override
    public void select(List<LogitLayer> layers) {
        checked.select(layers);
        reference.select(layers.stream().map(this::copy).toList());
        layers.forEach(this::compareMasks);
    }

    @Override
    public void apply(List<MaskedWeight> weights) {
        checked.apply(weights);
    }

    @Override
    public void applyBackward(List<MaskedWeight> weights, boolean dense) {
        checked.applyBackward(weights, dense);
    }

    /** The layer's copy, brought up to date. */
    private LogitLayer copy(LogitLayer layer) {
        try (NoGradGuard guard = new NoGradGuard()) {
            MaskedWeight weight = layer.weight();
            LogitLayer copy = copies.computeIfAbsent(weight, key -> {
                Tensor latent = Tensors.keep(weight.latent().detach().clone());
                Tensor effective =
                        Tensors.keep(torch.empty_like(weight.effective().detach()));
                Tensor logits = Tensors.keep(layer.logits().clone());
                MaskedWeight other =
                        new MaskedWeight(weight.layer(), weight.index(), weight.layout(), latent, effective);
                return new LogitLayer(other, logits, Tensors.keep(torch.zeros_like(logits)));
            });
            copy.weight().k(weight.k());
            copy.weight().latent().copy_(weight.latent());
            copy.logits().copy_(layer.logits());
            return copy;
        }
    }

    private void compareMasks(LogitLayer layer) {
        MaskedWeight expected = copies.get(layer.weight()).weight();
        assertSame(layer.weight().mask(), expected.mask(), layer);
        assertSame(layer.weight().effective(), expected.effective(), layer);
    }

    private void compareGradients(LogitLayer layer) {
        LogitLayer copy = copies.get(layer.weight());
        assertSame(layer.weight().latent().grad(), copy.weight().latent().grad(), layer);
        try (PointerScope scope = new PointerScope()) {
            double scale = copy.gradient().abs().max().item_double();
            double error = layer.gradient().sub(copy.gradient()).abs().max().item_double();
            worst = Math.max(worst, scale == 0 ? error : error / scale);
        }
    }

    private static void assertSame(Tensor actual, Tensor expected, LogitLayer layer) {
        assertThat(Tensors.bytes(actual)).as("layer %s", layer.weight().layer()).isEqualTo(Tensors.bytes(expected));
    }

    @Override
    public void close() {
        checked.close();
        reference.close();
    }
}
