package org.kofn.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
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
 * Larger batches run in pieces of {@value #PIECE} images, as many at once as there are threads, so that memory does not
 * grow with the batch. Any number of threads may call {@link #forward} at the same time: each piece has a workspace of
 * its own, which is used again afterwards.
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
    private final Map<Piece, BatchPlan> plans = new ConcurrentHashMap<>();
    private final Pieces pieces;

    /** Images that run together, and the threads that compute each of their layers. */
    private record Piece(int images, int threads) {}

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
        this.pieces = new Pieces(threads);
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
            List<Piece> cut = cut(Math.toIntExact(images.size(0)));
            if (cut.size() == 1) {
                return plan(cut.get(0)).run(contiguous);
            }
            List<Callable<Tensor>> calls = new ArrayList<>();
            long from = 0;
            for (Piece piece : cut) {
                long first = from;
                calls.add(() -> scores(piece, contiguous, first));
                from += piece.images();
            }
            return Tensors.only(() -> {
                Tensor[] scores = pieces.run(calls).toArray(Tensor[]::new);
                Tensor all = torch.cat(new TensorVector(scores), 0);
                Stream.of(scores).forEach(Tensor::close);
                return all;
            });
        }
    }

    /**
     * The scores of a piece, for the caller to close, in a worker's thread: its guards and scopes are not the caller's.
     */
    private Tensor scores(Piece piece, Tensor images, long first) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            return Tensors.only(() -> plan(piece).run(images.narrow(0, first, piece.images())));
        }
    }

    /** The pieces of a batch: those of whole vectors and what is left over. */
    private List<Piece> cut(int batch) {
        int count = (batch + PIECE - 1) / PIECE;
        int threadsOfEach = threads / Math.min(threads, count);
        List<Piece> cut = new ArrayList<>();
        for (int from = 0; from < batch; from += PIECE) {
            cut.add(new Piece(Math.min(PIECE, batch - from), threadsOfEach));
        }
        return cut;
    }

    /**
     * What computes each layer for batches of a size, and why: {@code conv2: sparse, density 0.125, break-even density
     * 0.58 (measured), rows 8x2 …}, or {@code conv1: dense, density 0.5, break-even density 0.09 (measured), LibTorch}.
     */
    public List<String> layers(int batch) {
        return plan(cut(batch).get(0)).steps().stream()
                .filter(step -> step.kernel() != null)
                .map(step -> step.op().name() + ": " + step.kernel())
                .toList();
    }

    /** Bytes of all values of the pieces of an inference that run at the same time, and of their scratch memory. */
    public long workspaceBytes(int batch) {
        return cut(batch).stream()
                .limit(threads)
                .mapToLong(piece -> plan(piece).workspaceBytes())
                .sum();
    }

    /** Bytes of the weights and lists that the sparse kernels hold for batches of a size. */
    public long weightBytes(int batch) {
        return cut(batch).stream()
                .distinct()
                .mapToLong(piece -> plan(piece).weightBytes())
                .sum();
    }

    private BatchPlan plan(Piece piece) {
        return plans.computeIfAbsent(piece, missing -> {
            try (PointerScope scope = new PointerScope()) {
                return new BatchPlan(
                        new Scheduler(network.graph(), network.storage(), piece.images(), dispatch, piece.threads()));
            }
        });
    }

    @Override
    public void close() {
        pieces.close();
        plans.values().forEach(BatchPlan::close);
        plans.clear();
    }
}
