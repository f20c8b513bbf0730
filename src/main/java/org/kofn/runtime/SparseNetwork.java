package org.kofn.runtime;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * Runs a {@link PreparedNetwork} on the CPU with the sparse kernels, and in LibTorch what they do not compute or are no
 * faster at. Every convolution and linear layer is planned once for each size of batch that comes; values stay in the
 * kernels' layout from layer to layer; the memory of an inference is allocated once. Any number of threads may call
 * {@link #forward} at the same time: each inference has a workspace of its own, which is used again afterwards.
 *
 * <p>Results depend neither on threads nor on the batch that an image is in, where the native kernels compute;
 * LibTorch's operations may round by batch.
 */
public final class SparseNetwork implements AutoCloseable {
    /**
     * The density up to which the native kernels compute a layer, if nothing else is known: below it, they are faster
     * than dense ones.
     */
    public static final double BREAK_EVEN = 0.6;

    private final PreparedNetwork network;
    private final int threads;
    private final double breakEven;
    private final Map<Integer, BatchPlan> plans = new ConcurrentHashMap<>();

    /**
     * A runtime of a network, which must stay open as long.
     *
     * @param threads that one inference uses
     */
    public SparseNetwork(PreparedNetwork network, int threads) {
        this(network, threads, BREAK_EVEN);
    }

    /**
     * Likewise.
     *
     * @param breakEven the density up to which the native kernels compute a layer: 1 for all, 0 for none
     */
    public SparseNetwork(PreparedNetwork network, int threads, double breakEven) {
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads");
        }
        this.network = network;
        this.threads = threads;
        this.breakEven = breakEven;
    }

    /**
     * The class scores of a batch. Call it inside a {@code PointerScope}: the result belongs to the caller's scope.
     *
     * @param images fp32 [batch, channels, height, width] on the CPU
     * @return fp32 [batch, classes]
     */
    public Tensor forward(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            Tensor contiguous = images.contiguous();
            return plan(Math.toIntExact(images.size(0))).run(contiguous);
        }
    }

    /** What computes each layer for batches of a size, such as {@code conv2: sparse, density 0.125, rows 8x2 …}. */
    public List<String> layers(int batch) {
        return plan(batch).steps().stream()
                .filter(step -> step.kernel() != null)
                .map(step -> step.op().name() + ": " + step.kernel())
                .toList();
    }

    /** Bytes of all values of one inference and its scratch memory. */
    public long workspaceBytes(int batch) {
        return plan(batch).workspaceBytes();
    }

    /** Bytes of the weights and lists that the sparse kernels hold for batches of a size. */
    public long weightBytes(int batch) {
        return plan(batch).weightBytes();
    }

    private BatchPlan plan(int batch) {
        return plans.computeIfAbsent(batch, size -> {
            try (PointerScope scope = new PointerScope()) {
                return new BatchPlan(new Scheduler(network.graph(), size, breakEven, threads));
            }
        });
    }

    @Override
    public void close() {
        plans.values().forEach(BatchPlan::close);
        plans.clear();
    }
}
