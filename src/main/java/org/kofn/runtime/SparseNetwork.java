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
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/**
 * Runs a {@link PreparedNetwork} with the sparse kernels of a {@link Backend}, and in LibTorch what they do not compute
 * or are no faster at. Every convolution and linear layer is planned once for each size of batch that comes; values
 * stay in the kernels' layout from layer to layer; the memory of an inference is allocated once. Larger batches run in
 * pieces, so that memory does not grow with them. Any number of threads may call {@link #forward} at the same time:
 * each inference has a workspace of its own, which is used again afterwards.
 *
 * <p>Results depend neither on threads nor on the batch that an image is in, where the native kernels compute;
 * LibTorch's operations may round by batch.
 */
public final class SparseNetwork implements AutoCloseable {
    private final PreparedNetwork network;
    private final Backend backend;
    private final Dispatch dispatch;
    private final Map<Integer, BatchPlan> plans = new ConcurrentHashMap<>();

    /** A runtime on the CPU that knows no measurements, so that the default rule decides. */
    public SparseNetwork(PreparedNetwork network, int threads) {
        this(network, threads, DispatchTable.none());
    }

    /** A runtime on the CPU, of so many threads; otherwise as below. */
    public SparseNetwork(PreparedNetwork network, int threads, Dispatch dispatch) {
        this(network, Backend.ofCpu(threads), dispatch);
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
    }

    /**
     * The class scores of a batch. Call it inside a {@code PointerScope}: the result belongs to the caller's scope.
     *
     * @param images fp32 [batch, channels, height, width] on the backend's device
     * @return fp32 [batch, classes]
     */
    public Tensor forward(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard();
                Session session = backend.begin()) {
            Tensor stored = images.to(backend.precision().type()).contiguous();
            int batch = Math.toIntExact(images.size(0));
            int piece = backend.piece();
            if (batch <= piece) {
                return plan(batch).run(stored, session).to(ScalarType.Float);
            }
            return Tensors.only(() -> {
                List<Tensor> scores = new ArrayList<>();
                for (int from = 0; from < batch; from += piece) {
                    int count = Math.min(piece, batch - from);
                    scores.add(plan(count).run(stored.narrow(0, from, count), session));
                }
                return torch.cat(new TensorVector(scores.toArray(Tensor[]::new)), 0)
                        .to(ScalarType.Float);
            });
        }
    }

    /**
     * What computes each layer for batches of a size, and why: {@code conv2: sparse, density 0.125, break-even density
     * 0.58 (measured), rows 8x2 …}, or {@code conv1: dense, density 0.5, break-even density 0.09 (measured), LibTorch}.
     */
    public List<String> layers(int batch) {
        return plan(Math.min(batch, backend.piece())).steps().stream()
                .filter(step -> step.kernel() != null)
                .map(step -> step.op().name() + ": " + step.kernel())
                .toList();
    }

    /** Bytes of all values of one inference and its scratch memory. */
    public long workspaceBytes(int batch) {
        return plan(Math.min(batch, backend.piece())).workspaceBytes();
    }

    /** Bytes of the weights and lists that the sparse kernels hold for batches of a size; a last piece adds its own. */
    public long weightBytes(int batch) {
        int piece = backend.piece();
        int rest = batch % piece;
        long whole = batch < piece ? 0 : plan(piece).weightBytes();
        return whole + (rest == 0 ? 0 : plan(rest).weightBytes());
    }

    private BatchPlan plan(int batch) {
        return plans.computeIfAbsent(batch, size -> {
            try (PointerScope scope = new PointerScope();
                    Session session = backend.begin()) {
                return new BatchPlan(new Scheduler(network.graph(), size, backend, dispatch), backend);
            }
        });
    }

    @Override
    public void close() {
        plans.values().forEach(BatchPlan::close);
        plans.clear();
        backend.close();
    }
}
