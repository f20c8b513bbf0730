package org.kofn.kernels;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.cuda.CUDAGuard;
import org.kofn.kernels.jni.KofnCpu;
import org.kofn.kernels.jni.KofnCuda;
import org.kofn.torch.Tensors;

/**
 * The native kernels on an NVIDIA GPU, {@code cuda/gumbel_topk/gumbel_topk.cu}: one launch for all layers, on
 * LibTorch's current stream. Masks are those of {@link Cpu}, bit for bit.
 *
 * <p>The host does not wait for the GPU, so that logits that are no numbers are reported by a later step than the one
 * that met them; freezing waits.
 */
final class Cuda extends NativeKernels {
    private final Device device;
    private final KofnCuda.Context context;

    /** The kernels on a CUDA device. */
    Cuda(Device device) {
        this.device = Tensors.keep(new Device("cuda:" + Math.max(0, device.index())));
        try (CUDAGuard guard = new CUDAGuard(device.index())) {
            KofnCuda.Context opened = KofnCuda.open();
            if (opened == null || opened.isNull()) {
                throw new IllegalStateException(failure(Integer.MIN_VALUE));
            }
            this.context = Tensors.keep(opened);
        }
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public void close() {
        super.close();
        CudaStream.call(device, stream -> {
            KofnCuda.close(context);
            return 0;
        });
    }

    @Override
    int sample(LayerTable table, KofnCpu.Draw draw, boolean settled) {
        return CudaStream.call(device, stream -> {
            int before = KofnCuda.status(context, 0, stream);
            if (before != 0) {
                return before;
            }
            int status = KofnCuda.sample(context, table.layers(), table.size(), draw, stream);
            return status == 0 && settled ? KofnCuda.status(context, 1, stream) : status;
        });
    }

    @Override
    int sampleBackward(LayerTable table, KofnCpu.Draw draw) {
        return CudaStream.call(
                device, stream -> KofnCuda.sampleBackward(context, table.layers(), table.size(), draw, stream));
    }

    @Override
    int apply(LayerTable table) {
        return CudaStream.call(device, stream -> KofnCuda.apply(context, table.layers(), table.size(), stream));
    }

    @Override
    int applyBackward(LayerTable table, boolean dense) {
        return CudaStream.call(
                device, stream -> KofnCuda.applyBackward(context, table.layers(), table.size(), dense ? 1 : 0, stream));
    }

    @Override
    String failure(int status) {
        return "CUDA: " + KofnCuda.error().getString();
    }
}
