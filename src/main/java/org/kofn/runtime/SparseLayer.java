package org.kofn.runtime;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;

/**
 * One layer alone in the sparse kernels, with random weights, lists and images, at several densities: for measuring.
 * All read the same input and write the same output, which have the layout that they would have inside a network.
 */
public final class SparseLayer implements AutoCloseable {
    private final LayerCase layer;
    private final Backend backend;
    private final Session session;
    private final Buffer input;
    private final Buffer output;
    private final Workspace workspace;
    private final List<NativePlan> plans = new ArrayList<>();

    /**
     * A layer with the weights of one after another density.
     *
     * @param backend where it runs; closed with this
     * @param kept k for each of them, 1 … n
     */
    public SparseLayer(LayerShape shape, int batch, Backend backend, int... kept) {
        this.layer = backend.layerCase(shape, batch);
        this.backend = backend;
        this.session = backend.begin();
        this.input = buffer("input", layer.layer().input());
        this.output = buffer("output", layer.layer().output());
        try (PointerScope scope = new PointerScope()) {
            Random random = new Random(1);
            for (int k : kept) {
                plans.add(plan(k, random));
            }
            MemoryPlan places = MemoryPlan.of(List.of(
                    new Lifetime(input.value(), 0, 1, input.bytes()),
                    new Lifetime(output.value(), 1, 1, output.bytes())));
            long scratch =
                    plans.stream().mapToLong(NativePlan::workspaceBytes).max().orElse(0);
            workspace = new Workspace(
                    Map.of(input, places.offset(input.value()), output, places.offset(output.value())),
                    places.bytes(),
                    scratch,
                    backend);
            workspace.bind(null, session);
            fill();
        }
    }

    private void fill() {
        Shape image = layer.layer().input();
        Tensor images = torch.randn(layer.batch(), image.channels(), image.height(), image.width());
        if (input.padded() == null) {
            workspace.tensor(input).copy_(images); // on the device, and in its precision
        } else {
            int status = KofnSparseConv.importPlain(
                    workspace.layout(input), images.data_ptr_float(), workspace.pointer(input), layer.threads());
            NativePlan.check(layer.toString(), status);
        }
    }

    /** Whether the sparse kernels know layers of that shape. */
    public static boolean computes(LayerShape shape) {
        return shape.window() == null
                ? NativeLinear.computes(shape.inputs(), shape.outputs())
                : NativeConvolution.computes(shape.window());
    }

    /** What is measured. */
    public LayerCase layer() {
        return layer;
    }

    /** Computes the layer with the weights of the {@code i}-th density. */
    public void run(int i) {
        plans.get(i)
                .run(workspace.pointer(input), workspace.pointer(output), null, workspace.scratch(), session.stream());
    }

    /** The loops that compute the {@code i}-th density. */
    public String describe(int i) {
        return plans.get(i).describe();
    }

    private Buffer buffer(String name, Shape shape) {
        Window window = layer.layer().window();
        if (window == null || !backend.pads()) {
            return Buffer.plain(name, shape, layer.batch(), layer.precision());
        }
        int halo = Math.max(window.padHeight(), window.padWidth());
        int form = KofnSparseConv.form(layer.batch(), layer.layer().width());
        return Buffer.padded(name, new PaddedLayout(form, layer.batch(), shape, halo, layer.precision()));
    }

    private NativePlan plan(int k, Random random) {
        LayerShape shape = layer.layer();
        Weights weights = Weights.listed(torch.randn(shape.weight()), lists(k, random));
        Tensor bias = torch.randn(shape.outputs());
        if (shape.window() == null) {
            Op.Linear linear = new Op.Linear("layer", "input", weights, bias, Epilogue.NONE);
            return backend.linear(linear, layer.batch());
        }
        Op.Conv conv = new Op.Conv("layer", "input", shape.window(), 1, weights, bias, Epilogue.NONE);
        return backend.convolution(conv, input, output);
    }

    /** Random lists: the first k of n inputs that are shuffled a little further for every group. */
    private KeptKernels lists(int k, Random random) {
        LayerShape shape = layer.layer();
        int[] inputs = IntStream.range(0, shape.inputs()).toArray();
        int[][] lists = new int[shape.outputs() / shape.share()][];
        for (int group = 0; group < lists.length; group++) {
            for (int i = 0; i < k; i++) {
                int other = i + random.nextInt(inputs.length - i);
                int swapped = inputs[i];
                inputs[i] = inputs[other];
                inputs[other] = swapped;
            }
            lists[group] = Arrays.copyOf(inputs, k);
            Arrays.sort(lists[group]);
        }
        return new KeptKernels(shape.share(), shape.inputs(), lists);
    }

    @Override
    public void close() {
        plans.forEach(NativePlan::close);
        workspace.close();
        session.close();
        backend.close();
    }
}
