package org.kofn.runtime;

import static org.assertj.core.api.Assumptions.assumeThat;

import org.bytedeco.pytorch.Device;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.Precision;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;

/**
 * The CUDA backend where tests run: on a GPU, or else with the same kernels emulated, in the library that the build
 * puts in the real one's place on the path of tests; then LibTorch's part runs on the CPU.
 */
final class CudaBackends {
    /** The first GPU, or the CPU that emulates it. */
    static final Device DEVICE = Tensors.keep(new Device(Devices.cudaAvailable() ? "cuda:0" : "cpu"));

    private CudaBackends() {}

    /** A backend with kernels; a test that needs one is passed over where there is no C++ compiler. */
    static CudaBackend of(Precision precision) {
        assumeThat(DEVICE.is_cuda() ? NativeLibrary.cuda() : NativeLibrary.sparse())
                .matches(NativeLibrary::loads);
        return new CudaBackend(DEVICE, precision, true);
    }
}
