package org.kofn.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Precision;
import org.kofn.runtime.Backend;
import org.kofn.runtime.LayerCase;
import org.kofn.runtime.LayerShape;
import org.kofn.runtime.SparseLayer;
import org.kofn.torch.OneDnn;
import org.kofn.torch.Tensors;

/**
 * One layer in the sparse kernels, at several densities, beside the same layer dense in every layout of LibTorch: all
 * in turn, on random normal numbers, with a bias and nothing else.
 */
public final class LayerBench implements AutoCloseable {
    /** Operations of a part: so many take about a millisecond, beside which looking at a clock takes nothing. */
    private static final double OPERATIONS = 2.5e8;

    private static final int MOST_CALLS = 64;

    /** Numbers of the tensor that is written to flush the caches: 256 MiB. */
    private static final long FLUSHED = 1 << 26;

    private static final Scalar ONE = Tensors.keep(new Scalar(1.0));

    private final Device device;
    private final Precision precision;
    private final Comparison comparison;
    private final boolean cold;
    private final DenseCheck check = new DenseCheck();

    /**
     * Measurements on a device.
     *
     * @param device has to stay open as long
     * @param cold whether to flush the caches before every repetition; otherwise what fits into them stays there
     */
    public LayerBench(Device device, Precision precision, Effort effort, boolean cold) {
        this.device = device;
        this.precision = precision;
        this.comparison = new Comparison(Stopwatch.of(device), effort);
        this.cold = cold;
    }

    /**
     * Whether malloc keeps what tensors free, as {@code kofn} tells it to for this command. Otherwise LibTorch's
     * outputs of megabytes are fetched from the kernel page by page at every call, which takes longer than the layer: a
     * slow baseline that would flatter us.
     */
    public static boolean keepsMemory() {
        return "0".equals(System.getenv("MALLOC_MMAP_MAX_"));
    }

    /** k for a density of one through {@code denominator}; 0 where no k comes near it. */
    static int kept(LayerShape shape, int denominator) {
        int k = (int) Math.round((double) shape.inputs() / denominator);
        return Math.abs((double) k * denominator / shape.inputs() - 1) <= 0.05 ? k : 0;
    }

    /**
     * Measures a layer.
     *
     * @param threads that compute on a CPU
     * @param denominators densities as one through these; those that the layer cannot have are left out
     * @return null where none of LibTorch's layouts computes the layer, so that there is nothing to compare with
     */
    public LayerResult run(BenchLayer layer, int batch, int threads, List<Integer> denominators) {
        int[] ones = denominators.stream()
                .mapToInt(one -> one)
                .filter(one -> kept(layer.shape(), one) > 0)
                .toArray();
        int[] kept = IntStream.of(ones).map(one -> kept(layer.shape(), one)).toArray();
        Map<DenseLayout, String> failures = new LinkedHashMap<>();
        DenseLayout.of(layer.shape(), device)
                .forEach(layout -> failures.put(layout, failure(layer.shape(), batch, threads, layout)));
        List<DenseLayout> sound = failures.keySet().stream()
                .filter(layout -> failures.get(layout) == null)
                .toList();
        if (sound.isEmpty()) {
            return null;
        }
        torch.manual_seed(1);
        try (OneDnn.Setting oneDnn = OneDnn.enable();
                PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard();
                SparseLayer sparse =
                        new SparseLayer(layer.shape(), batch, Backend.of(device, precision, threads), kept)) {
            DenseLayer dense = new DenseLayer(sparse.layer().decidedAs(), device, sound);
            Tensor memory = torch.zeros(new long[] {cold ? FLUSHED : 1}, Tensors.options(ScalarType.Float, device));
            double operations = layer.shape().operations(layer.shape().inputs()) * batch;
            int denseCalls = calls(operations);
            List<Runnable> baseline = new ArrayList<>();
            sound.forEach(layout ->
                    add(baseline, memory, denseCalls, () -> dense.run(layout).close()));
            List<Runnable> ours = new ArrayList<>();
            for (int i = 0; i < kept.length; i++) {
                int at = i;
                add(ours, memory, calls(layer.shape().operations(kept[i]) * batch), () -> sparse.run(at));
            }
            Comparison.Result result = comparison.run(baseline, ours);
            List<LayerResult.Dense> layouts = new ArrayList<>();
            failures.forEach((layout, failure) -> layouts.add(dense(
                    layout,
                    failure == null ? timing(result.baseline(), sound.indexOf(layout), denseCalls) : null,
                    failure)));
            LayerResult.Dense best = layouts.stream()
                    .filter(layout -> layout.ms() != null)
                    .min(Comparator.comparing(LayerResult.Dense::ms))
                    .orElseThrow();
            List<LayerResult.Sparse> points = new ArrayList<>();
            for (int i = 0; i < kept.length; i++) {
                double useful = layer.shape().operations(kept[i]) * batch;
                Timing timing = timing(result.ours(), i, calls(useful));
                points.add(new LayerResult.Sparse(
                        ones[i],
                        kept[i],
                        timing.median(),
                        timing.p20(),
                        timing.p80(),
                        best.ms() / timing.median(),
                        useful / timing.median() / 1e6,
                        sparse.describe(i)));
            }
            return new LayerResult(
                    layer.name(),
                    layer.times(),
                    layer.shape(),
                    batch,
                    sparse.layer().threads(),
                    precision,
                    cold,
                    keepsMemory(),
                    best.ms(),
                    best.layout(),
                    operations / best.ms() / 1e6,
                    result.ours().total().n(),
                    List.copyOf(layouts),
                    List.copyOf(points));
        }
    }

    /** What is wrong with a layout; only the CPU's are known to need a check. */
    private String failure(LayerShape shape, int batch, int threads, DenseLayout layout) {
        return device.is_cuda() ? null : check.failure(new LayerCase(shape, batch, threads), layout);
    }

    /** Adds a part that calls so many times; after one that flushes the caches, if they are to be cold. */
    private void add(List<Runnable> parts, Tensor memory, int calls, Runnable call) {
        if (cold) {
            parts.add(() -> memory.add_(ONE));
        }
        parts.add(() -> {
            for (int i = 0; i < calls; i++) {
                call.run();
            }
        });
    }

    private int calls(double operations) {
        return cold ? 1 : (int) Math.max(1, Math.min(MOST_CALLS, OPERATIONS / operations));
    }

    private Timing timing(Comparison.Side side, int part, int calls) {
        Timing all = side.parts().get(cold ? 2 * part + 1 : part);
        return new Timing(all.median() / calls, all.p20() / calls, all.p80() / calls, all.p99() / calls, all.n());
    }

    private static LayerResult.Dense dense(DenseLayout layout, Timing timing, String failure) {
        return timing == null
                ? new LayerResult.Dense(layout.words(), null, null, null, failure)
                : new LayerResult.Dense(layout.words(), timing.median(), timing.p20(), timing.p80(), null);
    }

    @Override
    public void close() {
        check.close();
    }
}
