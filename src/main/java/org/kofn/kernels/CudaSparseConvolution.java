package org.kofn.kernels;

import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.kernels.jni.KofnSparseCuda;
import org.kofn.torch.Tensors;

/**
 * A convolution under a mask that stands still, for training on a GPU, in fp32. Tensors are as LibTorch has them, so
 * that {@link #forward} keeps the input itself for the next {@link #backward}. Nothing waits for the GPU.
 */
final class CudaSparseConvolution implements FrozenConvolution {
    private final MaskedWeight weight;
    private final Device device;
    private final long[] inputShape;
    private final long[] outputShape;
    private final KofnSparseCuda.ConvolutionPlan forward;
    private final KofnSparseCuda.BackwardPlan backward;
    /** [1, O, 1, 1], sharing the bias's memory; null where there is none. */
    private final Tensor bias;
    /** As in {@link SparseConvolution}. */
    private final Tensor rows;

    private final Tensor values;
    private final Tensor valueGradients;
    private final Tensor weightGradient;
    private final Tensor biasGradient;
    private final Tensor workspace;
    private Tensor input;

    /** Plans for a mask as it is now, on the device of the weight. */
    CudaSparseConvolution(MaskedWeight weight, Tensor bias, SparseConvolution.Geometry geometry) {
        this.weight = weight;
        long[] shape = weight.layout().shape();
        this.inputShape = new long[] {geometry.batch(), shape[1], geometry.size()[0], geometry.size()[1]};
        this.outputShape = geometry.output(shape);
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            this.device = Tensors.keep(weight.effective().device());
            TensorOptions floats = weight.effective().options();
            Tensor lists = SparseConvolution.lists(weight).cpu();
            int share = weight.layout().share();
            Tensor places = SparseConvolution.rows(lists, (int) shape[0], (int) shape[1], share);
            this.rows = Tensors.keep(places.to(device, ScalarType.Long));
            long[] kernels = {rows.numel(), shape[2] * shape[3]};
            this.values = Tensors.keep(torch.zeros(kernels, floats));
            this.valueGradients = Tensors.keep(torch.zeros(kernels, floats));
            this.weightGradient = Tensors.keep(torch.zeros(shape, floats));
            this.bias = bias == null ? null : Tensors.keep(bias.detach().view(1, -1, 1, 1));
            this.biasGradient = bias == null ? null : Tensors.keep(torch.zeros(new long[] {shape[0]}, floats));
            KofnSparseConv.Convolution convolution =
                    SparseConvolution.description(weight, geometry, lists, torch.zeros(kernels), null);
            PointerPointer<KofnSparseCuda.ConvolutionPlan> there = new PointerPointer<>(1);
            PointerPointer<KofnSparseCuda.BackwardPlan> back = new PointerPointer<>(1);
            int fp32 = Precision.FP32.ordinal();
            call(stream -> KofnSparseCuda.open(convolution, geometry.batch(), fp32, there));
            this.forward = Tensors.keep(new KofnSparseCuda.ConvolutionPlan(there.get(0)));
            call(stream -> KofnSparseCuda.backwardOpen(convolution, geometry.batch(), fp32, back));
            this.backward = Tensors.keep(new KofnSparseCuda.BackwardPlan(back.get(0)));
            long scratch = Math.max(
                    KofnSparseCuda.workspace(forward),
                    Math.max(KofnSparseCuda.dataWorkspace(backward), KofnSparseCuda.weightsWorkspace(backward)));
            this.workspace = Tensors.keep(torch.zeros(new long[] {scratch / Float.BYTES + 1}, floats));
        }
    }

    @Override
    public Tensor forward(Tensor x) {
        Tensor y = torch.empty(outputShape, x.options(), null);
        forget();
        input = Tensors.keep(x.detach().contiguous());
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            Tensor kernels = weight.effective().view(-1, values.size(1));
            torch.index_select_out(values, kernels, 0, rows);
            call(stream -> KofnSparseCuda.setWeights(forward, values.data_ptr_float(), stream));
            call(stream ->
                    KofnSparseCuda.run(forward, input.data_ptr(), y.data_ptr(), null, workspace.data_ptr(), stream));
            if (bias != null) {
                y.add_(bias);
            }
        }
        return y;
    }

    @Override
    public SparseConvolution.Gradient backward(Tensor dy, boolean ofInput) {
        Tensor dx = ofInput ? torch.empty(inputShape, dy.options(), null) : null;
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            Tensor gradient = dy.contiguous();
            FloatPointer biasTo = biasGradient == null ? null : biasGradient.data_ptr_float();
            call(stream -> KofnSparseCuda.backwardWeights(
                    backward,
                    input.data_ptr(),
                    gradient.data_ptr(),
                    valueGradients.data_ptr_float(),
                    biasTo,
                    workspace.data_ptr(),
                    stream));
            weightGradient.view(-1, values.size(1)).index_copy_(0, rows, valueGradients);
            if (ofInput) {
                call(stream -> KofnSparseCuda.backwardData(
                        backward,
                        values.data_ptr_float(),
                        gradient.data_ptr(),
                        dx.data_ptr(),
                        workspace.data_ptr(),
                        stream));
            }
        }
        forget();
        return new SparseConvolution.Gradient(dx, weightGradient, biasGradient);
    }

    private void forget() {
        if (input != null) {
            input.close();
            input = null;
        }
    }

    @Override
    public void close() {
        forget();
        KofnSparseCuda.close(forward);
        KofnSparseCuda.backwardClose(backward);
        forward.close();
        backward.close();
        for (Tensor tensor : new Tensor[] {rows, values, valueGradients, weightGradient, workspace}) {
            tensor.close();
        }
        if (bias != null) {
            bias.close();
            biasGradient.close();
        }
        device.close();
    }

    /** Everything that is passed was checked before, so that another status is a bug or an error of CUDA's. */
    private void call(ToIntFunction<Pointer> call) {
        int status = CudaStream.call(device, call);
        if (status != 0) {
            throw new IllegalStateException("the CUDA kernels refuse a convolution with status " + status);
        }
    }
}
