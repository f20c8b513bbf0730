package org.kofn.bench;

import java.util.List;
import org.kofn.kernels.Draw;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.LogitLayer;
import org.kofn.kernels.MaskedWeight;

/** Kernels that count how long their caller waits for them: on the CPU, how long they take. */
final class TimedKernels implements Kernels {
    private final Kernels kernels;
    private final Stopwatch stopwatch = Stopwatch.wall(System::nanoTime);
    private double milliseconds;

    TimedKernels(Kernels kernels) {
        this.kernels = kernels;
    }

    /** The time of all calls since the last look, in milliseconds. */
    double take() {
        double taken = milliseconds;
        milliseconds = 0;
        return taken;
    }

    @Override
    public String name() {
        return kernels.name();
    }

    @Override
    public void sample(List<LogitLayer> layers, Draw draw) {
        count(() -> kernels.sample(layers, draw));
    }

    @Override
    public void sampleBackward(List<LogitLayer> layers, Draw draw) {
        count(() -> kernels.sampleBackward(layers, draw));
    }

    @Override
    public void select(List<LogitLayer> layers) {
        count(() -> kernels.select(layers));
    }

    @Override
    public void apply(List<MaskedWeight> weights) {
        count(() -> kernels.apply(weights));
    }

    @Override
    public void applyBackward(List<MaskedWeight> weights, boolean dense) {
        count(() -> kernels.applyBackward(weights, dense));
    }

    private void count(Runnable call) {
        milliseconds += stopwatch.milliseconds(call);
    }

    /** The kernels belong to whoever chose them. */
    @Override
    public void close() {}
}
