package org.kofn.kernels;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.kernels.jni.KofnSparseConvBackward;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/**
 * A convolution under a mask that stands still, for training on the CPU. {@link #forward} keeps the input for the next
 * {@link #backward}, padded, as the native kernels read it.
 */
public final class SparseConvolution implements FrozenConvolution {
    /** What the contract allows. */
    private static final int LARGEST_WINDOW = 7;

    private static final int LARGEST_PADDING = 3;

    /**
     * What a layer is beside its weight.
     *
     * @param batch images
     * @param size rows and columns of the input
     * @param stride down and across
     * @param padding zeros above and below, left and right
     */
    public record Geometry(int batch, int[] size, int[] stride, int[] padding) {
        /** [N, O, H', W'] for a weight [O, n, R, S]. */
        long[] output(long[] weight) {
            long[] shape = {batch, weight[0], 0, 0};
            for (int axis = 0; axis < 2; axis++) {
                long span = size[axis] + 2L * padding[axis] - weight[2 + axis];
                shape[2 + axis] = span / stride[axis] + 1;
            }
            return shape;
        }
    }

    /**
     * What comes out of a backward pass.
     *
     * @param input of the input [N, n, H, W], null where it was not asked for; it belongs to the caller's scope
     * @param weight of the effective weight, 0 where kernels are dropped; valid until the next backward pass
     * @param bias of the bias, null where there is none; valid likewise
     */
    public record Gradient(Tensor input, Tensor weight, Tensor bias) {}

    private final MaskedWeight weight;
    private final Tensor bias;
    private final int threads;
    private final long[] outputShape;
    private final long[] inputShape;
    private final KofnSparseConv.PaddedTensor inputLayout;
    private final KofnSparseConv.PaddedTensor outputLayout;
    private final KofnSparseConv.Plan forward;
    private final KofnSparseConvBackward.Plan backward;
    /**
     * int64 [O·k]: the row of each kept kernel in the weight, seen as [O·n, R·S]; in the order of the plan's values.
     */
    private final Tensor rows;
    /** The input, and the gradient of the input after it. */
    private final Tensor input;
    /** The output, and the gradient of the output after it. */
    private final Tensor output;

    private final Tensor values;
    private final Tensor valueGradients;
    private final Tensor weightGradient;
    private final Tensor biasGradient;
    private final Tensor workspace;

    /**
     * Plans for a mask as it is now.
     *
     * @param weight with whole kernels kept or dropped: see {@link #computes}
     * @param bias fp32 [O], or null
     */
    public SparseConvolution(MaskedWeight weight, Tensor bias, Geometry geometry) {
        this.weight = weight;
        this.bias = bias;
        this.threads = torch.get_num_threads();
        long[] shape = weight.layout().shape();
        int outputs = (int) shape[0];
        int inputs = (int) shape[1];
        this.inputShape = new long[] {geometry.batch, inputs, geometry.size[0], geometry.size[1]};
        this.outputShape = geometry.output(shape);
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            int halo = Math.max(geometry.padding[0], geometry.padding[1]);
            int form = KofnSparseConv.form(geometry.batch, (int) outputShape[3]);
            this.inputLayout = Tensors.keep(layout(form, inputShape, halo));
            this.outputLayout = Tensors.keep(layout(form, outputShape, halo));
            int share = weight.layout().share();
            Tensor lists = lists(weight);
            this.rows = Tensors.keep(rows(lists, outputs, inputs, share));
            TensorOptions floats = new TensorOptions(ScalarType.Float);
            long[] kernels = {rows.numel(), shape[2] * shape[3]};
            this.values = Tensors.keep(torch.zeros(kernels, floats));
            this.valueGradients = Tensors.keep(torch.zeros(kernels, floats));
            this.weightGradient = Tensors.keep(torch.zeros(shape, floats));
            this.biasGradient = bias == null ? null : Tensors.keep(torch.zeros(new long[] {outputs}, floats));
            KofnSparseConv.Convolution convolution =
                    description(weight, geometry, lists, values, bias == null ? null : bias.data_ptr_float());
            PointerPointer<KofnSparseConv.Plan> there = new PointerPointer<>(1);
            check(KofnSparseConv.open(convolution, inputLayout, outputLayout, threads, there));
            this.forward = Tensors.keep(new KofnSparseConv.Plan(there.get(0)));
            PointerPointer<KofnSparseConvBackward.Plan> back = new PointerPointer<>(1);
            check(KofnSparseConvBackward.open(convolution, inputLayout, outputLayout, threads, back));
            this.backward = Tensors.keep(new KofnSparseConvBackward.Plan(back.get(0)));
            this.input = padded(inputLayout);
            this.output = padded(outputLayout);
            long scratch = Math.max(
                    KofnSparseConv.workspace(forward),
                    Math.max(
                            KofnSparseConvBackward.dataWorkspace(backward),
                            KofnSparseConvBackward.weightsWorkspace(backward)));
            this.workspace = Tensors.keep(torch.zeros(new long[] {scratch + 1}, floats));
        }
    }

    /**
     * Whether the native kernels compute this layer: whole kernels kept or dropped, fp32, sizes within their bounds.
     */
    public static boolean computes(MaskedWeight weight, Geometry geometry) {
        MaskLayout layout = weight.layout();
        long[] shape = layout.shape();
        return shape.length == 4
                && (layout.granularity() == Granularity.KERNEL
                        || layout.granularity() != Granularity.FILTER && shape[2] * shape[3] == 1)
                && weight.effective().scalar_type().intern() == ScalarType.Float
                && Math.max(shape[2], shape[3]) <= LARGEST_WINDOW
                && Math.max(geometry.stride[0], geometry.stride[1]) <= LARGEST_WINDOW
                && Math.max(geometry.padding[0], geometry.padding[1]) <= LARGEST_PADDING;
    }

    /** Whether the library is there. */
    public static boolean available() {
        return Holder.AVAILABLE;
    }

    /** Loads on first use. */
    private static final class Holder {
        static final boolean AVAILABLE = NativeLibrary.cpu().loads() && loads();

        private static boolean loads() {
            try {
                Loader.load(KofnSparseConv.class);
                Loader.load(KofnSparseConvBackward.class);
                return true;
            } catch (LinkageError e) {
                return false;
            }
        }
    }

    @Override
    public Tensor forward(Tensor x) {
        Tensor y = torch.empty(outputShape, new TensorOptions(ScalarType.Float), null);
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            Tensor kernels = weight.effective().view(-1, values.size(1));
            torch.index_select_out(values, kernels, 0, rows);
            check(KofnSparseConv.setWeights(
                    forward, values.data_ptr_float(), bias == null ? null : bias.data_ptr_float(), threads));
            check(KofnSparseConv.importPlain(
                    inputLayout, x.contiguous().data_ptr_float(), input.data_ptr_float(), threads));
            check(KofnSparseConv.run(
                    forward,
                    input.data_ptr_float(),
                    output.data_ptr_float(),
                    null,
                    workspace.data_ptr_float(),
                    threads));
            check(KofnSparseConv.exportPlain(outputLayout, output.data_ptr_float(), y.data_ptr_float(), threads));
        }
        return y;
    }

    @Override
    public Gradient backward(Tensor dy, boolean ofInput) {
        Tensor dx = ofInput ? torch.empty(inputShape, new TensorOptions(ScalarType.Float), null) : null;
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            FloatPointer x = input.data_ptr_float();
            FloatPointer gradient = output.data_ptr_float();
            FloatPointer scratch = workspace.data_ptr_float();
            check(KofnSparseConv.importPlain(outputLayout, dy.contiguous().data_ptr_float(), gradient, threads));
            FloatPointer biasTo = biasGradient == null ? null : biasGradient.data_ptr_float();
            check(KofnSparseConvBackward.weights(
                    backward, x, gradient, valueGradients.data_ptr_float(), biasTo, scratch, threads));
            weightGradient.view(-1, values.size(1)).index_copy_(0, rows, valueGradients);
            if (ofInput) {
                check(KofnSparseConvBackward.data(backward, values.data_ptr_float(), gradient, x, scratch, threads));
                check(KofnSparseConv.exportPlain(inputLayout, x, dx.data_ptr_float(), threads));
            }
        }
        return new Gradient(dx, weightGradient, biasGradient);
    }

    @Override
    public void close() {
        KofnSparseConv.close(forward);
        KofnSparseConvBackward.close(backward);
        forward.close();
        backward.close();
        inputLayout.close();
        outputLayout.close();
        for (Tensor tensor : new Tensor[] {rows, input, output, values, valueGradients, weightGradient, workspace}) {
            tensor.close();
        }
        if (biasGradient != null) {
            biasGradient.close();
        }
    }

    /**
     * A convolution as the native kernels are told of it; it belongs to the caller's scope.
     *
     * @param lists of {@link #lists}, on the CPU
     * @param values [O/b·k·b, R·S], on the CPU
     */
    static KofnSparseConv.Convolution description(
            MaskedWeight weight, Geometry geometry, Tensor lists, Tensor values, FloatPointer bias) {
        long[] shape = weight.layout().shape();
        return new KofnSparseConv.Convolution()
                .inputs((int) shape[1])
                .outputs((int) shape[0])
                .height(geometry.size[0])
                .width(geometry.size[1])
                .rows((int) shape[2])
                .columns((int) shape[3])
                .strideRows(geometry.stride[0])
                .strideColumns(geometry.stride[1])
                .paddingRows(geometry.padding[0])
                .paddingColumns(geometry.padding[1])
                .share(weight.layout().share())
                .kept((int) lists.size(1))
                .activation(0)
                .indices(new IntPointer(lists.to(ScalarType.Int).contiguous().data_ptr_int()))
                .weights(values.data_ptr_float())
                .bias(bias);
    }

    /** The inputs that each group of outputs keeps: int64 [O/b, k], ascending. */
    static Tensor lists(MaskedWeight weight) {
        long[] shape = weight.layout().shape();
        long groups = shape[0] / weight.layout().share();
        // Only for whole kernels: all groups of a list of outputs lie one after the other, and with them its inputs.
        Tensor kept = weight.mask().view(groups, shape[1]);
        return kept.nonzero().select(1, 1).view(groups, -1);
    }

    /** For [O/b][k][b] kernels, which row of [O·n] each is. */
    static Tensor rows(Tensor lists, int outputs, int inputs, int share) {
        Tensor first = torch.arange(new org.bytedeco.pytorch.Scalar(outputs))
                .mul(new org.bytedeco.pytorch.Scalar(inputs))
                .to(ScalarType.Long)
                .view(outputs / share, 1, share);
        return lists.unsqueeze(2).add(first).reshape(-1).contiguous();
    }

    private static KofnSparseConv.PaddedTensor layout(int form, long[] shape, int halo) {
        return new KofnSparseConv.PaddedTensor()
                .form(form)
                .batch((int) shape[0])
                .channels((int) shape[1])
                .height((int) shape[2])
                .width((int) shape[3])
                .halo(halo)
                .precision(0);
    }

    /** Memory of zeros for a layout. */
    private static Tensor padded(KofnSparseConv.PaddedTensor layout) {
        KofnSparseConv.Strides strides = new KofnSparseConv.Strides();
        check(KofnSparseConv.strides(layout, strides));
        return Tensors.keep(torch.zeros(new long[] {strides.elements()}, new TensorOptions(ScalarType.Float)));
    }

    /** Everything that is passed was checked before, so that another status is a bug. */
    private static void check(int status) {
        if (status != 0) {
            throw new IllegalStateException("the native kernels refuse a convolution with status " + status);
        }
    }
}
