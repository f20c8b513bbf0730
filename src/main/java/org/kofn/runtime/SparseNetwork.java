package org.kofn.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/**
 * Runs a {@link PreparedNetwork} with the sparse kernels of a {@link Backend}, and in LibTorch what they do not compute
 * or are no faster at. Every convolution and linear layer is planned once for each size of batch that comes; values
 * stay in the kernels' layout and precision from layer to layer; the memory of an inference is allocated once. Larger
 * batches run in pieces, on a CPU as many at once as there are threads, so that memory does not grow with them. Any
 * number of threads may call {@link #forward} at the same time: each piece has a workspace of its own, which is used
 * again afterwards.
 *
 * <p>Results depend neither on threads nor on the batch that an image is in, where the native kernels compute;
 * LibTorch's operations may round by batch.
 */
public final class SparseNetwork implements AutoCloseable {
    private final PreparedNetwork network;
    private final Backend backend;
    private final Dispatch dispatch;
    private final Map<Piece, BatchPlan> plans = new ConcurrentHashMap<>();
    private final Pieces pieces;

    /** Images that run together, and the threads that compute each of their layers. */
    private record Piece(int images, int threads) {}

    /** A runtime on the CPU that knows no measurements, so that the default rule decides. */
    public SparseNetwork(PreparedNetwork network, int threads) {
        this(network, threads, DispatchTable.none());
    }

    /** A runtime on the CPU, of so many threads; otherwise as below. */
    public SparseNetwork(PreparedNetwork network, int threads, Dispatch dispatch) {
        this(network, Backend.ofCpu(network.precision(), threads), dispatch);
    }

    /**
     * A runtime of a network, which must stay open as long.
     *
     * @param backend where it runs; closed with this
     * @param dispatch decides which layers the sparse kernels compute: {@link DispatchTable#open} knows this machine
     */
    public SparseNetwork(PreparedNetwork network, Backend backend, Dispatch dispatch) {
        this.network = network;
        this.backend = backend;
        this.dispatch = dispatch;
        this.pieces = new Pieces(Math.max(1, backend.threads()));
    }

    /**
     * The class scores of a batch. Call it inside a {@code PointerScope}: the result belongs to the caller's scope.
     *
     * @param images fp32 [batch, channels, height, width] on the backend's device
     * @return fp32 [batch, classes]
     */
    public Tensor forward(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            Tensor stored = images.to(backend.torchPrecision().type()).contiguous();
            List<Piece> cut = cut(Math.toIntExact(images.size(0)));
            if (cut.size() == 1) {
                return scores(cut.get(0), stored);
            }
            List<Callable<Tensor>> calls = new ArrayList<>();
            long from = 0;
            for (Piece piece : cut) {
                long first = from;
                calls.add(() -> scores(piece, stored.narrow(0, first, piece.images())));
                from += piece.images();
            }
            return Tensors.only(() -> {
                List<Tensor> scores = backend.threads() > 1 ? pieces.run(calls) : Pieces.oneByOne(calls);
                Tensor all = torch.cat(new TensorVector(scores.toArray(Tensor[]::new)), 0);
                scores.forEach(Tensor::close);
                return all;
            });
        }
    }

    /** The scores of a piece, perhaps in a worker's thread: its guards and scopes are not the caller's. */
    private Tensor scores(Piece piece, Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard();
                Session session = backend.begin()) {
            return Tensors.only(() -> plan(piece).run(images, session).to(ScalarType.Float));
        }
    }

    /** The pieces of a batch: whole ones and what is left over. */
    private List<Piece> cut(int batch) {
        int size = backend.piece();
        int count = (batch + size - 1) / size;
        int threadsOfEach = backend.threads() / Math.max(1, Math.min(backend.threads(), count));
        List<Piece> cut = new ArrayList<>();
        for (int from = 0; from < batch; from += size) {
            cut.add(new Piece(Math.min(size, batch - from), threadsOfEach));
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
                .limit(Math.max(1, backend.threads()))
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
            try (PointerScope scope = new PointerScope();
                    Session session = backend.begin()) {
                Backend part = backend.share(piece.threads());
                return new BatchPlan(new Scheduler(network.graph(), piece.images(), part, dispatch), part);
            }
        });
    }

    @Override
    public void close() {
        pieces.close();
        plans.values().forEach(BatchPlan::close);
        plans.clear();
        backend.close();
    }
}
