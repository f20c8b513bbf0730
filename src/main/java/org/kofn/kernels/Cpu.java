package org.kofn.kernels;

import org.bytedeco.pytorch.global.torch;
import org.kofn.kernels.jni.KofnCpu;

/**
 * The native kernels on the CPU, {@code cuda/gumbel_topk/gumbel_topk_cpu.cpp}: vector code for the processor at hand,
 * as many threads as LibTorch uses. Masks are those of {@link Reference} in fp32, bit for bit.
 */
final class Cpu extends NativeKernels {

    @Override
    public String name() {
        return "cpu";
    }

    /** {@code avx512}, {@code avx2} or {@code portable}: the variant that runs here. */
    static String variant() {
        return KofnCpu.variant().getString();
    }

    @Override
    int sample(LayerTable table, KofnCpu.Draw draw, boolean settled) {
        return KofnCpu.sample(table.layers(), table.size(), draw, torch.get_num_threads());
    }

    @Override
    int sampleBackward(LayerTable table, KofnCpu.Draw draw) {
        return KofnCpu.sampleBackward(table.layers(), table.size(), draw, torch.get_num_threads());
    }

    @Override
    int apply(LayerTable table) {
        return KofnCpu.apply(table.layers(), table.size(), torch.get_num_threads());
    }

    @Override
    int applyBackward(LayerTable table, boolean dense) {
        return KofnCpu.applyBackward(table.layers(), table.size(), dense ? 1 : 0, torch.get_num_threads());
    }

    @Override
    String failure(int status) {
        return "the CPU kernels failed with status " + status;
    }
}
