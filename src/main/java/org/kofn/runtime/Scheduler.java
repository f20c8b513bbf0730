package org.kofn.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;

/**
 * Turns a graph into the {@link Step}s of one size of batch: decides what runs in the native kernels and what in
 * LibTorch, and puts changes of layout between them, once for each value that needs one.
 */
final class Scheduler {
    private final InferenceGraph graph;
    private final int batch;
    private final Backend backend;
    private final Dispatch dispatch;
    private final Map<String, Shape> shapes;
    private final Halos halos;
    private final List<Step> steps = new ArrayList<>();
    private final List<NativePlan> plans = new ArrayList<>();
    /** Values that are in memory in LibTorch's way, those of flattenings under the name of what they flatten. */
    private final Map<String, Buffer> plain = new HashMap<>();
    /**
     * Values that are in LibTorch's way but in the kernels' precision, where that is not fp32: between linear layers.
     */
    private final Map<String, Buffer> stored = new HashMap<>();
    /** Values that are in memory in the native kernels' way, in one form or both, the newest last. */
    private final Map<String, List<Buffer>> padded = new HashMap<>();

    /**
     * Schedules a graph.
     *
     * @param backend where it runs
     * @param dispatch decides what the native kernels compute
     */
    Scheduler(InferenceGraph graph, int batch, Backend backend, Dispatch dispatch) {
        this.graph = graph;
        this.batch = batch;
        this.backend = backend;
        this.dispatch = dispatch;
        this.shapes = graph.shapes();
        this.halos = new Halos(graph, this::isNative);
        plain.put(Network.INPUT, plain(Network.INPUT));
        for (Op op : graph.ops()) {
            if (isNative(op) && op instanceof Op.Conv conv) {
                convolution(conv);
            } else if (isNative(op)) {
                linear((Op.Linear) op);
            } else if (op instanceof Op.Plain flatten && flatten.layer() instanceof Layer.Flatten) {
                plain.put(op.name(), plain(op, op.inputs().get(0)));
            } else if (padded.containsKey(op.inputs().get(0)) && pooling(op) != null) {
                pool(op, pooling(op));
            } else {
                torch(op);
            }
        }
        plain(graph.ops().get(graph.ops().size() - 1), graph.output());
    }

    /** What to run, in order. */
    List<Step> steps() {
        return List.copyOf(steps);
    }

    /** The plans that the steps use; who runs the steps closes them. */
    List<NativePlan> plans() {
        return List.copyOf(plans);
    }

    /** Where the network's output will be. */
    Buffer output() {
        return plain.get(graph.output());
    }

    /** Whether the native kernels compute an operation: one that they know, up to its break-even density. */
    private boolean isNative(Op op) {
        return op instanceof Op.Weighted weighted
                && isKnown(weighted)
                && density(weighted) <= breakEven(weighted).density();
    }

    /** Whether the native kernels could compute it. */
    private boolean isKnown(Op.Weighted op) {
        boolean fits = op instanceof Op.Conv conv
                ? NativeConvolution.computes(conv)
                : NativeLinear.computes(op.weights().inputs(), op.outputs());
        return fits && backend.available();
    }

    private BreakEven breakEven(Op.Weighted op) {
        BreakEven certain = backend.certain(op);
        return certain != null
                ? certain
                : dispatch.of(backend.layerCase(LayerShape.of(op, shapes.get(op.input())), batch)
                        .decidedAs());
    }

    /** The form in which an operation reads its input: what comes out of strides is smaller, and converted after it. */
    private int form(Op op) {
        return KofnSparseConv.form(batch, shapes.get(op.inputs().get(0)).width());
    }

    /** k/n, k being the longest list: shorter ones are filled up. */
    private static double density(Op.Weighted op) {
        return op.kept() == null ? 1 : (double) op.kept().longest() / op.kept().inputs();
    }

    /** Such as {@code sparse, density 0.125, break-even density 0.58 (measured)}. */
    private String decision(String what, Op.Weighted op) {
        String density = String.format(Locale.ROOT, "%s, density %.3g", what, density(op));
        return isKnown(op) ? density + ", " + breakEven(op) : density;
    }

    private void convolution(Op.Conv op) {
        Buffer input = read(op, op.input());
        List<Buffer> reads = new ArrayList<>(List.of(input));
        String residualName = op.epilogue().residual();
        Buffer residual = residualName == null ? null : read(op, residualName);
        if (residual != null) {
            reads.add(residual);
        }
        Buffer output = written(op);
        NativePlan plan = backend.convolution(op, input, output);
        // In place only where the convolution does not read what it is added to.
        Buffer inPlace = input.equals(residual) ? null : residual;
        add(op, plan, reads, output, inPlace, workspace -> {
            FloatPointer added = residual == null ? null : workspace.pointer(residual);
            plan.run(
                    workspace.pointer(input),
                    workspace.pointer(output),
                    added,
                    workspace.scratch(),
                    workspace.stream());
        });
    }

    /** A value as convolutions read it here. */
    private Buffer read(Op.Conv op, String value) {
        return backend.pads() ? padded(op, value, form(op)) : plain(op, value);
    }

    /** Where a convolution writes, in the way that it writes here. */
    private Buffer written(Op.Conv op) {
        if (backend.pads()) {
            Buffer output = Buffer.padded(op.name(), layout(op.name(), form(op)));
            padded.put(op.name(), List.of(output));
            return output;
        }
        Buffer output = plain(op.name());
        plain.put(op.name(), output);
        return output;
    }

    /** Linear layers have no residuals, and read and write in LibTorch's way. */
    private void linear(Op.Linear op) {
        Buffer input = stored(op, op.input());
        Buffer output = Buffer.plain(op.name(), shapes.get(op.name()), batch, backend.precision());
        NativePlan plan = backend.linear(op, batch);
        (output.precision() == backend.torchPrecision() ? plain : stored).put(op.name(), output);
        add(op, plan, List.of(input), output, null, workspace -> {
            plan.run(
                    workspace.pointer(input), workspace.pointer(output), null, workspace.scratch(), workspace.stream());
        });
    }

    private void add(
            Op.Weighted op, NativePlan plan, List<Buffer> reads, Buffer output, Buffer inPlace, Step.Call call) {
        plans.add(plan);
        String kernel =
                decision(op.kept() == null ? "dense in the sparse kernel" : "sparse", op) + ", " + plan.describe();
        steps.add(new Step(op, kernel, reads, output, inPlace, plan.workspaceBytes(), call));
    }

    private NativePooling pooling(Op op) {
        return op instanceof Op.Plain plainOp
                ? NativePooling.of(plainOp.layer(), shapes.get(op.inputs().get(0)))
                : null;
    }

    private void pool(Op op, NativePooling pooling) {
        Buffer input = newest(op.inputs().get(0));
        Buffer output =
                Buffer.padded(op.name(), layout(op.name(), input.padded().form()));
        padded.put(op.name(), List.of(output));
        steps.add(new Step(op, "pooling kernel", List.of(input), output, null, 0, workspace -> {
            pooling.run(workspace, input, output, backend.threads());
        }));
    }

    private void torch(Op op) {
        List<Buffer> reads = new ArrayList<>();
        op.inputs().forEach(input -> reads.add(plain(op, input)));
        Buffer output = plain(op.name());
        plain.put(op.name(), output);
        String kernel = op instanceof Op.Weighted weighted ? decision("dense", weighted) + ", LibTorch" : "LibTorch";
        Step.Call call = op instanceof Op.Linear linear
                ? workspace -> dense(
                        (Op.Linear) backend.placed(linear), workspace.tensor(reads.get(0)), workspace.tensor(output))
                : workspace -> {
                    List<Tensor> inputs = reads.stream().map(workspace::tensor).toList();
                    workspace.tensor(output).copy_(TorchOps.run(backend.placed(op), inputs));
                };
        steps.add(new Step(op, kernel, reads, output, null, 0, workspace -> {
            try (PointerScope scope = new PointerScope()) {
                call.run(workspace);
            }
        }));
    }

    /** A matrix product straight into its place. */
    private void dense(Op.Linear op, Tensor input, Tensor output) {
        Tensor scores = output.view(batch, -1);
        torch.addmm_out(
                scores, op.bias(), input.view(batch, -1), op.weights().dense().t());
        TorchOps.rectify(scores, op.epilogue().rectifier());
    }

    /** A value in LibTorch's way, by a change of layout or precision if need be. */
    private Buffer plain(Op reader, String value) {
        Buffer known = plain.get(value);
        if (known != null) {
            return known;
        }
        Buffer to = plain(value);
        plain.put(value, to);
        if (stored.containsKey(value)) {
            copy(reader, stored.get(value), to);
            return to;
        }
        Buffer from = newest(value);
        steps.add(new Step(reader, null, List.of(from), to, null, 0, workspace -> {
            int status = KofnSparseConv.exportPlain(
                    workspace.layout(from), workspace.pointer(from), workspace.pointer(to), backend.threads());
            NativePlan.check(value, status);
        }));
        return to;
    }

    /** The same in the kernels' precision. */
    private Buffer stored(Op reader, String value) {
        if (backend.precision() == backend.torchPrecision()) {
            return plain(reader, value);
        }
        return stored.computeIfAbsent(value, name -> {
            Buffer from = plain(reader, value);
            Buffer to = Buffer.plain(value, from.shape(), batch, backend.precision());
            copy(reader, from, to);
            return to;
        });
    }

    private void copy(Op reader, Buffer from, Buffer to) {
        steps.add(new Step(reader, null, List.of(from), to, null, 0, workspace -> {
            workspace.tensor(to).copy_(workspace.tensor(from));
        }));
    }

    /** A value in a form of the native kernels, by a change of layout if need be. */
    private Buffer padded(Op reader, String value, int form) {
        List<Buffer> known = padded.getOrDefault(value, List.of());
        for (Buffer buffer : known) {
            if (buffer.padded().form() == form) {
                return buffer;
            }
        }
        Buffer from = known.isEmpty() ? plain(reader, value) : newest(value);
        Buffer to = Buffer.padded(value, layout(value, form));
        steps.add(new Step(reader, null, List.of(from), to, null, 0, workspace -> {
            int status = from.padded() == null
                    ? KofnSparseConv.importPlain(
                            workspace.layout(to), workspace.pointer(from), workspace.pointer(to), backend.threads())
                    : KofnSparseConv.convert(
                            workspace.layout(from),
                            workspace.pointer(from),
                            workspace.layout(to),
                            workspace.pointer(to),
                            backend.threads());
            NativePlan.check(value, status);
        }));
        List<Buffer> both = new ArrayList<>(known);
        both.add(to);
        padded.put(value, both);
        return to;
    }

    /** Memory for a value that LibTorch's operations read or write. */
    private Buffer plain(String value) {
        return Buffer.plain(value, shapes.get(value), batch, backend.torchPrecision());
    }

    private Buffer newest(String value) {
        List<Buffer> known = padded.get(value);
        return known.get(known.size() - 1);
    }

    private PaddedLayout layout(String value, int form) {
        return new PaddedLayout(form, batch, shapes.get(value), halos.of(value), backend.precision());
    }
}
