package org.kofn.kernels;

import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.kofn.base.KofnException;
import org.kofn.kernels.jni.KofnCpu;
import org.kofn.torch.Tensors;

/**
 * The kernels of {@code cuda/}: one native call forward and one backward for all layers together. This class turns
 * tensors into the table that those calls read, and their status into errors that name the layer; which library
 * computes is the subclass's matter.
 *
 * <p>Nothing but the mask is kept between forward and backward: the noise is drawn again, since a counter-based
 * generator gives the same.
 */
abstract class NativeKernels implements Kernels {
    private final Map<List<?>, LayerTable> tables = new IdentityHashMap<>();
    private final KofnCpu.Draw draw = Tensors.keep(new KofnCpu.Draw());

    /** {@code kofn_…_sample}; with {@code settled}, the status is that of this very call, whatever the wait. */
    abstract int sample(LayerTable table, KofnCpu.Draw native_, boolean settled);

    /** {@code kofn_…_sample_backward}. */
    abstract int sampleBackward(LayerTable table, KofnCpu.Draw native_);

    /** {@code kofn_…_apply}. */
    abstract int apply(LayerTable table);

    /** {@code kofn_…_apply_backward}. */
    abstract int applyBackward(LayerTable table, boolean dense);

    /** What to say of a status that is no layer's. */
    abstract String failure(int status);

    @Override
    public final void sample(List<LogitLayer> layers, Draw sampling) {
        call(layers, NativeKernels::weights, table -> {
            table.bindForward();
            table.bindLogits(layers);
            return sample(table, write(sampling), false);
        });
    }

    @Override
    public final void sampleBackward(List<LogitLayer> layers, Draw sampling) {
        call(layers, NativeKernels::weights, table -> {
            table.bindForward();
            table.bindLogits(layers);
            table.bindGradients(sampling.denseGradient());
            return sampleBackward(table, write(sampling));
        });
    }

    @Override
    public final void select(List<LogitLayer> layers) {
        call(layers, NativeKernels::weights, table -> {
            table.bindForward();
            table.bindLogits(layers);
            // Without noise neither seed nor step matters, and forward has no use for the rest.
            return sample(table, write(new Draw(0, 0, 1, 0, 0, false)), true);
        });
    }

    @Override
    public final void apply(List<MaskedWeight> weights) {
        call(weights, Function.identity(), table -> {
            table.bindForward();
            return apply(table);
        });
    }

    @Override
    public final void applyBackward(List<MaskedWeight> weights, boolean dense) {
        call(weights, Function.identity(), table -> {
            table.bindForward();
            return table.bindGradients(dense) ? applyBackward(table, dense) : 0;
        });
    }

    @Override
    public void close() {
        tables.values().forEach(LayerTable::close);
        tables.clear();
        draw.close();
    }

    private static List<MaskedWeight> weights(List<LogitLayer> layers) {
        return layers.stream().map(LogitLayer::weight).toList();
    }

    /** Runs a call over the table of a list, which is made once a list. */
    private <T> void call(
            List<T> list, Function<List<T>, List<MaskedWeight>> weights, Function<LayerTable, Integer> body) {
        if (list.isEmpty()) {
            return;
        }
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            LayerTable table = tables.computeIfAbsent(list, key -> new LayerTable(weights.apply(list)));
            int status = body.apply(table);
            if (status == 0) {
                return;
            }
            if (Math.abs((long) status) > table.size()) {
                throw new IllegalStateException(failure(status));
            }
            MaskedWeight weight = table.weight(Math.abs(status) - 1);
            if (status > 0) {
                throw KofnException.diverged("layer %s: its logits are not finite numbers", weight.layer());
            }
            throw new IllegalArgumentException("layer " + weight.layer() + ": " + name() + " kernels refuse k = "
                    + weight.k() + " of " + weight.layout().candidates() + " candidates");
        }
    }

    private KofnCpu.Draw write(Draw sampling) {
        return draw.seed(sampling.seed())
                .step(sampling.step())
                .temperature((float) sampling.temperature())
                .noise((float) sampling.noise())
                .entropy((float) sampling.entropy())
                .denseGradient(sampling.denseGradient() ? 1 : 0);
    }
}
