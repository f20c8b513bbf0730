package org.kofn.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.kofn.torch.Tensors;

/**
 * Runs a {@link PreparedNetwork} on the CPU with the sparse kernels, and in LibTorch what they do not compute or are no
 * faster at. Every convolution and linear layer is planned once for each size of batch that comes; values stay in the
 * kernels' layout from layer to layer, and in the network's storage; the memory of an inference is allocated once.
 * Larger batches run in pieces of {@value #PIECE} images, so that memory does not grow with them. Any number of threads
 * may call {@link #forward} at the same time: each inference has a workspace of its own, which is used again
 * afterwards.
 *
 * <p>Results depend neither on threads nor on the batch that an image is in, where the native kernels compute;
 * LibTorch's operations may round by batch.
 */
public final class SparseNetwork implements AutoCloseable {
    /** Images that run together at most: as many as the kernels have lanes. */
    static final int PIECE = 16;

    private final PreparedNetwork network;
    private final int threads;
    private final Dispatch dispatch;
    private final Map<Integer, BatchPlan> plans = new ConcurrentHashMap<>();

    /** A runtime that knows no measurements, so that the default rule decides; otherwise as below. */
    public SparseNetwork(PreparedNetwork network, int threads) {
        this(network, threads, DispatchTable.none());
    }

    /**
     * A runtime of a network, which must stay open as long.
     *
     * @param threads that one inference uses
     * @param dispatch decides which layers the sparse kernels compute: {@link DispatchTable#open} knows this machine
     */
    public SparseNetwork(PreparedNetwork network, int threads, Dispatch dispatch) {
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads");
        }
        this.network = network;
        this.threads = threads;
        this.dispatch = dispatch;
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
            int batch = Math.toIntExact(images.size(0));
            if (batch <= PIECE) {
                return plan(batch).run(contiguous);
            }
            return Tensors.only(() -> {
                List<Tensor> scores = new ArrayList<>();
                for (int from = 0; from < batch; from += PIECE) {
                    int count = Math.min(PIECE, batch - from);
                    scores.add(plan(count).run(contiguous.narrow(0, from, count)));
                }
                return torch.cat(new TensorVector(scores.toArray(Tensor[]::new)), 0);
            });
        }
    }

    /**
     * What computes each layer for batches of a size, and why: {@code conv2: sparse, density 0.125, break-even density
     * 0.58 (measured), rows 8x2 …}, or {@code conv1: dense, density 0.5, break-even density 0.09 (measured), LibTorch}.
     */
    public List<String> layers(int batch) {
        return plan(Math.min(batch, PIECE)).steps().stream()
                .filter(step -> step.kernel() != null)
                .map(step -> step.op().name() + ": " + step.kernel())
                .toList();
    }

    /** Bytes of all values of one inference and its scratch memory. */
    public long workspaceBytes(int batch) {
        return plan(Math.min(batch, PIECE)).workspaceBytes();
    }

    /** Bytes of the weights and lists that the sparse kernels hold for batches of a size; a last piece adds its own. */
    public long weightBytes(int batch) {
        int rest = batch % PIECE;
        long whole = batch < PIECE ? 0 : plan(PIECE).weightBytes();
        return whole + (rest == 0 ? 0 : plan(rest).weightBytes());
    }

    private BatchPlan plan(int batch) {
        return plans.computeIfAbsent(batch, size -> {
            try (PointerScope scope = new PointerScope()) {
                return new BatchPlan(new Scheduler(network.graph(), network.storage(), size, dispatch, threads));
            }
        });
    }

    @Override
    public void close() {
        plans.values().forEach(BatchPlan::close);
        plans.clear();
    }
}
