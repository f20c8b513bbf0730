package org.kofn.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Whether oneDNN, which LibTorch computes convolutions with on CPUs, can be trusted here.
 *
 * <p>Its layouts pad feature maps to the width of a vector register, and its kernels rely on zeros there. On some CPUs
 * (seen: oneDNN 3.7.1 of LibTorch 2.10 on Zen 5 in a virtual machine) the reordering leaves in the padding what was in
 * that memory before, and a convolution of 20 feature maps gives wrong sums, now and then NaN. So a small convolution
 * of that kind is tried once a process, in memory that was filled with NaN; where it is wrong, LibTorch goes on without
 * oneDNN: slower and right.
 */
public final class OneDnn {
    /** Rounding stays far below this, sums of wrong numbers far above. */
    private static final double TOLERANCE = 1e-3;

    private static final long[] ONE = {1, 1};
    private static final long[] NONE = {0, 0};

    private OneDnn() {}

    /** Evaluated once a process, by whoever comes first. */
    private static final class Verdict {
        private static final String FAULT = torch.hasMKLDNN() ? fault() : "is not in this LibTorch";

        static {
            if (FAULT != null) {
                use(false);
            }
        }
    }

    /** Switches oneDNN off where it is at fault; to be called before LibTorch computes anything. */
    static void guard() {
        whyOff();
    }

    /** What is wrong with oneDNN on this machine, for which it is switched off; null when nothing is. */
    public static String whyOff() {
        return Verdict.FAULT;
    }

    /**
     * Lets LibTorch use oneDNN, whatever {@link #whyOff} says, until the result is closed: a comparison wants the
     * fastest dense layer, and looks itself whether that one's results are right.
     */
    public static Setting enable() {
        return new Setting(true);
    }

    /** Lets LibTorch compute without oneDNN until the result is closed. */
    public static Setting disable() {
        return new Setting(false);
    }

    /** Holds for the whole process while it is open; then what was before. */
    public static final class Setting implements AutoCloseable {
        private final boolean before;

        private Setting(boolean on) {
            guard();
            before = torch.globalContext().userEnabledMkldnn();
            use(on);
        }

        @Override
        public void close() {
            use(before);
        }
    }

    private static void use(boolean on) {
        torch.globalContext().setUserEnabledMkldnn(on);
    }

    /** 20 feature maps are padded to 24 or 32, in images and weights. */
    private static String fault() {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            Tensor images = torch.arange(new Scalar(2.0 * 20 * 9 * 9)).sin_().view(2, 20, 9, 9);
            Tensor weight = torch.arange(new Scalar(16.0 * 20 * 3 * 3)).cos_().view(16, 20, 3, 3);
            Tensor expected = torch.conv2d(
                    images.to(ScalarType.Double),
                    weight.to(ScalarType.Double),
                    new TensorOptional(),
                    ONE,
                    NONE,
                    ONE,
                    1);
            fillFreeMemory(2 * 32 * 9 * 9, 2 * 24 * 9 * 9, 16 * 32 * 3 * 3, 16 * 24 * 3 * 3);
            Tensor actual = torch.mkldnn_convolution(images, weight, new TensorOptional(), NONE, ONE, ONE, 1);
            double error = actual.sub(expected).abs().max().item_double();
            return error <= TOLERANCE ? null : "gives wrong convolutions on this CPU";
        }
    }

    /** Leaves NaN in memory that the next tensors of these sizes will most likely be given. */
    private static void fillFreeMemory(long... sizes) {
        List<Tensor> filled = new ArrayList<>();
        for (long size : sizes) {
            for (int i = 0; i < 8; i++) {
                filled.add(torch.full(new long[] {size}, new Scalar(Double.NaN)));
            }
        }
        filled.forEach(Tensor::close);
    }
}
