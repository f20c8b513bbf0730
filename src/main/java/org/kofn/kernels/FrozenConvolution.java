package org.kofn.kernels;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;

/**
 * A convolution under a mask that stands still, for training: forward and backward read only the kernels that are kept
 * ({@code cuda/sparse_conv}). Their lists are fixed, their values are read from the effective weight at every step.
 */
public sealed interface FrozenConvolution extends AutoCloseable permits SparseConvolution, CudaSparseConvolution {
    /** Whether the native kernels of a device are there. */
    static boolean available(Device device) {
        return device.is_cuda() ? NativeLibrary.cuda().loads() : SparseConvolution.available();
    }

    /**
     * Plans for a mask as it is now, where the weight is.
     *
     * @param weight that {@link SparseConvolution#computes}
     * @param bias fp32 [O], or null
     */
    static FrozenConvolution of(MaskedWeight weight, Tensor bias, SparseConvolution.Geometry geometry) {
        return weight.effective().is_cuda()
                ? new CudaSparseConvolution(weight, bias, geometry)
                : new SparseConvolution(weight, bias, geometry);
    }

    /**
     * The convolution with the effective weight as it is now. The input is kept for the next {@link #backward}.
     *
     * @param x fp32 [N, n, H, W]
     * @return [N, O, H', W'], without a history; it belongs to the caller's scope
     */
    Tensor forward(Tensor x);

    /**
     * The gradients of the last {@link #forward}, which can be asked for once.
     *
     * @param dy that of the output
     * @param ofInput whether that of the input is wanted
     */
    SparseConvolution.Gradient backward(Tensor dy, boolean ofInput);

    @Override
    void close();
}
