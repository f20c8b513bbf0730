package org.kofn.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.data.Batch;
import org.kofn.recipe.Convolutions;
import org.kofn.torch.CudaDevice;

/**
 * Which {@link Pass} the steps take: dense, until a fine-tuning phase finds that the sparse one is wanted or takes less
 * time. Which one it is belongs to the state of a run, for they round differently.
 */
final class Passes implements AutoCloseable {
    /** Pairs of passes that are timed, after one that warms up. */
    private static final int REPEATS = 5;

    private final Workbench bench;
    private final Consumer<String> log;
    private final Pass dense;
    private SparsePass sparse;

    /**
     * Dense, to begin with.
     *
     * @param log takes a line about what was decided
     */
    Passes(Workbench bench, Consumer<String> log) {
        this.bench = bench;
        this.log = log;
        this.dense = Pass.dense(bench.module());
    }

    /** The pass of the next step. */
    Pass current() {
        return sparse == null ? dense : sparse;
    }

    /** Whether {@link #current} is sparse. */
    boolean sparse() {
        return sparse != null;
    }

    /** Decides for a phase whose masks are frozen by now. */
    void choose(Convolutions wanted) {
        close();
        if (wanted == Convolutions.DENSE) {
            return;
        }
        open();
        if (sparse == null) {
            log.accept("convolutions: dense; the native kernels compute none of them here");
        } else if (wanted == Convolutions.SPARSE) {
            log.accept(String.format("convolutions: %d sparse", sparse.convolutions()));
        } else {
            double[] seconds = measure();
            boolean faster = seconds[1] < seconds[0];
            log.accept(String.format(
                    "convolutions: %s; forward and backward take %.1f ms dense, %.1f ms with %d sparse",
                    faster ? "sparse" : "dense", 1e3 * seconds[0], 1e3 * seconds[1], sparse.convolutions()));
            if (!faster) {
                close();
            }
        }
    }

    /** Goes on with what a checkpoint says was decided. */
    void restore(boolean wasSparse) {
        close();
        if (wasSparse) {
            open();
        }
    }

    @Override
    public void close() {
        if (sparse != null) {
            sparse.close();
            sparse = null;
        }
    }

    private void open() {
        sparse = SparsePass.of(
                bench.network(),
                bench.module(),
                bench.compression(),
                bench.device(),
                bench.recipe().batch());
    }

    /** Medians of both, in seconds; batch norms are as before, and nothing has learnt. */
    private double[] measure() {
        List<Double> ofDense = new ArrayList<>();
        List<Double> ofSparse = new ArrayList<>();
        try (PointerScope scope = new PointerScope()) {
            Map<String, Tensor> before = new HashMap<>();
            bench.module().buffers().forEach((name, tensor) -> before.put(name, tensor.clone()));
            Batch batch = bench.training().get(0, 0);
            for (int i = 0; i <= REPEATS; i++) {
                double first = seconds(dense, batch);
                double second = seconds(sparse, batch);
                if (i > 0) {
                    ofDense.add(first);
                    ofSparse.add(second);
                }
            }
            try (NoGradGuard guard = new NoGradGuard()) {
                bench.module().buffers().forEach((name, tensor) -> tensor.copy_(before.get(name)));
            }
        }
        return new double[] {median(ofDense), median(ofSparse)};
    }

    private double seconds(Pass pass, Batch batch) {
        try (PointerScope scope = new PointerScope()) {
            long start = System.nanoTime();
            pass.backward(torch.cross_entropy_loss(pass.forward(batch.images()), batch.labels()));
            if (bench.device().is_cuda()) {
                CudaDevice.synchronize();
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            bench.compression().clearGradients();
            return seconds;
        }
    }

    private static double median(List<Double> values) {
        Collections.sort(values);
        return values.get(values.size() / 2);
    }
}
