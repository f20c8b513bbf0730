package org.kofn.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.kernels.Precision;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.torch.CudaMath;
import org.kofn.torch.OneDnn;

/**
 * A whole pruned network in the sparse runtime beside the same network, dense with its masks folded in, in LibTorch and
 * ONNX Runtime: all in one process, batch by batch in turn, on the same random images. In its turn an engine runs
 * twice: first with the caches as the others left them, then with its own weights in them, as when it serves one batch
 * after another. What all are compared with is the fastest of LibTorch's ways whose scores are right.
 */
public final class ModelBench implements AutoCloseable {
    private final ModelFiles files;
    private final Network network;
    private final Device device;
    private final Precision precision;
    private final int threads;
    private final Effort effort;
    private final Consumer<String> says;
    private final Map<Engine, Engine.Loaded> engines = new EnumMap<>(Engine.class);

    /**
     * Reads a network's files.
     *
     * @param modelPt the network as TorchScript
     * @param compact the same as {@code model.safetensors}
     * @param onnxRuntime the jar of ONNX Runtime; null to go without
     * @param folder where to export the network for it
     * @param device where all run that can; has to stay open as long
     * @param precision of activations and weights
     * @param threads that every engine uses on a CPU
     * @param says what could not be measured, a line each
     * @throws KofnException (file) when a file is missing or damaged
     */
    public ModelBench(
            Path modelPt,
            Path compact,
            Path onnxRuntime,
            Path folder,
            Device device,
            Precision precision,
            int threads,
            Effort effort,
            Consumer<String> says) {
        this.files = ModelFiles.of(modelPt, compact, onnxRuntime, folder);
        this.network = files.network();
        this.device = device;
        this.precision = precision;
        this.threads = threads;
        this.effort = effort;
        this.says = says;
    }

    /** Measures batches of a size, an engine a result, LibTorch's first. */
    public List<ModelResult> run(int batch) {
        Map<Engine, MemoryProbe> memory = memory(batch);
        try (OneDnn.Setting oneDnn = OneDnn.enable();
                CudaMath.Setting math = CudaMath.of(precision == Precision.TF32);
                PointerScope scope = new PointerScope()) {
            Shape input = network.input();
            torch.manual_seed(1);
            Tensor images = torch.randn(batch, input.channels(), input.height(), input.width());
            List<Engine> order = new ArrayList<>();
            List<List<Runnable>> sides = new ArrayList<>();
            List<Tensor> scores = new ArrayList<>();
            for (Engine engine : memory.keySet()) {
                Engine.Loaded loaded = engines.computeIfAbsent(engine, this::load);
                Tensor arranged = engine.arrange(images.to(device, ScalarType.Float));
                order.add(engine);
                scores.add(loaded.run(arranged).cpu());
                Runnable run = () -> loaded.run(arranged);
                sides.add(List.of(run, run));
            }
            Tensor expected = expected(images);
            double largest = expected.abs().max().item_double();
            List<Double> differences = scores.stream()
                    .map(one -> one.sub(expected).abs().max().item_double())
                    .toList();
            Comparison comparison = new Comparison(Stopwatch.of(device), effort);
            List<Comparison.Side> timings = comparison.run(sides);
            int baseline = baseline(order, timings, differences, tolerance(precision) * largest);
            List<ModelResult> results = new ArrayList<>();
            for (int i = 0; i < order.size(); i++) {
                results.add(result(
                        order.get(i),
                        i == baseline,
                        batch,
                        timings.get(i),
                        warm(timings.get(baseline)).median(),
                        differences.get(i),
                        largest,
                        memory.get(order.get(i))));
            }
            return results;
        }
    }

    /** The engines that can run the network here, with what they take: each is tried in a process of its own first. */
    private Map<Engine, MemoryProbe> memory(int batch) {
        Map<Engine, MemoryProbe> memory = new EnumMap<>(Engine.class);
        for (Engine engine : Engine.values()) {
            if (engine.file(files) == null || !engine.runsOn(device)) {
                continue;
            }
            MemoryProbe probe = MemoryProbe.of(engine, files, network.input(), batch, device, precision, threads);
            if (probe == null) {
                says.accept(engine.words() + ": left out, since it cannot run this network on this machine");
            } else {
                memory.put(engine, probe);
            }
        }
        return memory;
    }

    private Engine.Loaded load(Engine engine) {
        return engine.load(files, device, precision, threads);
    }

    /** Right scores: LibTorch's plain convolutions on the CPU. */
    private Tensor expected(Tensor images) {
        try (OneDnn.Setting without = OneDnn.disable()) {
            if (!device.is_cuda()) {
                return engines.computeIfAbsent(Engine.LIBTORCH, this::load).run(images);
            }
            try (Device cpu = new Device("cpu");
                    Engine.Loaded plain = Engine.LIBTORCH.load(files, cpu, Precision.FP32, threads)) {
                return plain.run(images);
            }
        }
    }

    /** Of the largest score: far above what is rounded, and far below what a wrong kernel gives. */
    private static double tolerance(Precision precision) {
        return switch (precision) {
            case FP32 -> 1e-3;
            case TF32 -> 1e-2;
            case BF16 -> 1e-1;
        };
    }

    /** The fastest of LibTorch's that differ by no more than rounding; of those that do, it is said. */
    private int baseline(
            List<Engine> engines, List<Comparison.Side> timings, List<Double> differences, double tolerance) {
        int fastest = -1;
        for (int i = 0; i < engines.size(); i++) {
            if (!engines.get(i).isBaseline()) {
                continue;
            }
            if (differences.get(i) > tolerance) {
                says.accept(engines.get(i).words() + ": gives wrong scores on this machine, so it is no baseline");
            } else if (fastest < 0
                    || warm(timings.get(i)).median()
                            < warm(timings.get(fastest)).median()) {
                fastest = i;
            }
        }
        if (fastest < 0) {
            throw KofnException.device("LibTorch gives wrong scores in all layouts; there is nothing to compare with");
        }
        return fastest;
    }

    private static Timing warm(Comparison.Side side) {
        return side.parts().get(1);
    }

    private ModelResult result(
            Engine engine,
            boolean baseline,
            int batch,
            Comparison.Side side,
            double baselineMs,
            double difference,
            double largest,
            MemoryProbe memory) {
        Timing timing = warm(side);
        try {
            return new ModelResult(
                    network.name() + "/batch-" + batch,
                    engine.words(),
                    baseline,
                    batch,
                    timing.median(),
                    timing.p20(),
                    timing.p80(),
                    timing.p99(),
                    side.parts().get(0).median(),
                    1e3 * batch / timing.median(),
                    baselineMs / timing.median(),
                    timing.n(),
                    difference,
                    largest,
                    memory.load(),
                    memory.run(),
                    Files.size(engine.file(files)),
                    device.is_cuda() ? 0 : threads,
                    precision);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        engines.values().forEach(Engine.Loaded::close);
    }
}
