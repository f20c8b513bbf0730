package org.kofn.bench;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.kofn.base.KofnException;
import org.kofn.kernels.Precision;
import org.kofn.runtime.DispatchTable;
import org.kofn.runtime.LayerMeasurement;
import org.kofn.runtime.LayerShape;

/**
 * Measures layers for the dispatcher of the sparse runtime, and keeps every measurement as soon as it is made, so that
 * one can stop at any time.
 */
public final class Tuner implements AutoCloseable {
    /** Shapes that stand for much: the networks that most others borrow from, for large and for small images. */
    public static final List<String> USUAL = List.of(
            "vgg16-bn@224",
            "resnet-18@224",
            "resnet-50@224",
            "vgg16-bn",
            "resnet-18",
            "resnet-20",
            "lenet-300-100",
            "vgg7");

    /** One through these. */
    private static final List<Integer> DENSITIES = List.of(1, 2, 4, 8, 16);

    private final LayerBench bench;
    private final Path home;
    private final Device device;
    private final int threads;
    private DispatchTable table;
    private final String replaced;

    /**
     * Begins with what is known of a device.
     *
     * @param home kofn's cache folder
     * @param device has to stay open as long
     * @param precision what to measure
     * @param effort for each layer
     * @param threads that compute on a CPU
     */
    public Tuner(Path home, Device device, Precision precision, Effort effort, int threads) {
        this.bench = new LayerBench(device, precision, effort, false);
        this.home = home;
        this.device = device;
        this.threads = threads;
        DispatchTable known = DispatchTable.none();
        String reason = null;
        try {
            known = DispatchTable.open(home, device);
        } catch (KofnException damaged) {
            reason = damaged.getMessage();
        }
        this.table = known;
        this.replaced = reason;
    }

    /** What was wrong with the table that is replaced; null where nothing was. */
    public String replaced() {
        return replaced;
    }

    /** The layers of networks and runs, those of one shape once. */
    public static List<BenchLayer> layers(List<String> networks, List<Path> runs) {
        Map<LayerShape, BenchLayer> layers = new LinkedHashMap<>();
        Stream.concat(
                        runs.stream().flatMap(run -> BenchLayer.ofRun(run).stream()),
                        networks.stream().flatMap(name -> BenchLayer.of(name, BenchLayer.Kind.ALL, 1).stream()))
                .forEach(layer -> layers.putIfAbsent(layer.shape(), layer));
        return List.copyOf(layers.values());
    }

    /** Measures a layer and saves that with what was measured before; nothing where LibTorch cannot compute it. */
    public Optional<LayerMeasurement> run(BenchLayer layer, int batch) {
        LayerResult result = bench.run(layer, batch, threads, DENSITIES);
        if (result == null) {
            return Optional.empty();
        }
        LayerMeasurement measurement = result.measurement();
        table = table.save(home, device, List.of(measurement));
        return Optional.of(measurement);
    }

    /** What is known now, and the file that it is in. */
    public DispatchTable table() {
        return table;
    }

    @Override
    public void close() {
        bench.close();
    }
}
