package org.kofn.bench;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/** How fast memory is: LibTorch copies a tensor that fits into no cache. What kernels move is measured against it. */
final class CopyBandwidth {
    /** Numbers in the tensor; 256 MiB. */
    private static final long SIZE = 1 << 26;

    private static final int COPIES = 10;

    private CopyBandwidth() {}

    /** Bytes a second, read and written ones added. */
    static double measure(Device device, Stopwatch stopwatch) {
        try (NoGradGuard guard = new NoGradGuard();
                PointerScope scope = new PointerScope()) {
            Tensor from = torch.ones(new long[] {SIZE}, Tensors.options(ScalarType.Float, device));
            Tensor to = torch.empty_like(from);
            to.copy_(from);
            double[] times = new double[COPIES];
            for (int i = 0; i < COPIES; i++) {
                times[i] = stopwatch.milliseconds(() -> to.copy_(from));
            }
            return 2.0 * from.nbytes() / Timing.of(times).median() * 1e3;
        }
    }
}
