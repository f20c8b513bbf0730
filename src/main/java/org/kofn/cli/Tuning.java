package org.kofn.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.bytedeco.pytorch.Device;
import org.kofn.base.ExitCode;
import org.kofn.bench.BenchLayer;
import org.kofn.bench.Effort;
import org.kofn.bench.Tuner;
import org.kofn.kernels.Precision;
import org.kofn.runtime.LayerMeasurement;

/** {@code kofn bench --tune}: measures the layers, saying how far it is, and prints what came out. */
final class Tuning {
    private final Path home;
    private final Device device;
    private final Precision precision;
    private final Effort effort;
    private final int threads;
    private final AtomicBoolean stopped = new AtomicBoolean();

    /** Measurements of a device for its table below {@code home}. */
    Tuning(Path home, Device device, Precision precision, Effort effort, int threads) {
        this.home = home;
        this.device = device;
        this.precision = precision;
        this.effort = effort;
        this.threads = threads;
    }

    /** Measures all layers at all sizes of batch, or until it is interrupted. */
    int run(PrintWriter out, PrintWriter err, List<BenchLayer> layers, List<Integer> batches) {
        Table table = new Table(
                "layer",
                "batch",
                "dense ms",
                "fastest ms",
                "layout",
                "sparse ms, all",
                "fewest",
                "break-even",
                "of fastest",
                "n");
        int done = 0;
        int all = layers.size() * batches.size();
        try (Interrupts interrupts = new Interrupts(() -> stopped.set(true));
                Tuner tuner = new Tuner(home, device, precision, effort, threads)) {
            if (tuner.replaced() != null) {
                err.println("kofn: " + tuner.replaced());
            }
            for (int batch : batches) {
                for (BenchLayer layer : layers) {
                    if (!stopped.get()) {
                        Optional<LayerMeasurement> measured = tuner.run(layer, batch);
                        measured.ifPresent(measurement -> row(table, measurement));
                        err.printf(
                                "%d/%d %s, batch %d: %s%n",
                                ++done,
                                all,
                                layer.shape(),
                                batch,
                                measured.map(measurement -> "break-even density " + density(measurement.breakEven()))
                                        .orElse("LibTorch gives wrong results, nothing to compare with"));
                    }
                }
            }
            table.lines().forEach(out::println);
            out.println(tuner.table().describe());
        }
        if (done < all) {
            err.printf("kofn: interrupted after %d of %d; what was measured is kept%n", done, all);
            return ExitCode.INTERRUPTED.code();
        }
        return ExitCode.OK.code();
    }

    private static void row(Table table, LayerMeasurement measured) {
        List<LayerMeasurement.Point> points = measured.sparse();
        table.row(
                measured.layer().layer(),
                measured.layer().batch(),
                BenchOptions.number(measured.denseMs()),
                BenchOptions.number(measured.bestDenseMs()),
                measured.bestLayout(),
                BenchOptions.number(points.get(points.size() - 1).ms()),
                BenchOptions.number(points.get(0).ms()),
                density(measured.breakEven()),
                density(measured.bestBreakEven()),
                measured.n());
    }

    private static String density(double density) {
        return String.format(Locale.ROOT, "%.2f", density);
    }
}
