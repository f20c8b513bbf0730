package org.kofn.bench;

import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.kofn.kernels.Draw;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.LogitLayer;
import org.kofn.kernels.MaskedWeight;
import org.kofn.kernels.Reference;

/** The reference after a nap: 30 ms before sampling, 60 ms before its gradient. Tells the sides of a result apart. */
final class SlowKernels implements Kernels {
    static final double FORWARD = 30;
    static final double BACKWARD = 60;

    private final Kernels reference = new Reference();

    static Choice choice() {
        return new Choice(new SlowKernels(), "a test");
    }

    @Override
    public String name() {
        return "slow";
    }

    @Override
    public void sample(List<LogitLayer> layers, Draw draw) {
        sleep(FORWARD);
        reference.sample(layers, draw);
    }

    @Override
    public void sampleBackward(List<LogitLayer> layers, Draw draw) {
        sleep(BACKWARD);
        reference.sampleBackward(layers, draw);
    }

    @Override
    public void select(List<LogitLayer> layers) {
        reference.select(layers);
    }

    @Override
    public void apply(List<MaskedWeight> weights) {
        reference.apply(weights);
    }

    @Override
    public void applyBackward(List<MaskedWeight> weights, boolean dense) {
        reference.applyBackward(weights, dense);
    }

    private static void sleep(double milliseconds) {
        long end = System.nanoTime() + Math.round(milliseconds * 1e6);
        for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    @Override
    public void close() {}
}
