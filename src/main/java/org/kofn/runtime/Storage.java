package org.kofn.runtime;

import java.util.Locale;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * How the sparse runtime holds weights and the values that its kernels read and write. Biases and sums are fp32 in
 * either case, and so is what LibTorch's operations read and write.
 */
public enum Storage {
    /** 32-bit IEEE floats. */
    FP32(0, Float.BYTES, ScalarType.Float),
    /** bfloat16: half the memory; every weight and every value is rounded once, to nearest even. */
    BF16(2, Short.BYTES, ScalarType.BFloat16);

    private final int code;
    private final int bytes;
    private final ScalarType type;

    Storage(int code, int bytes, ScalarType type) {
        this.code = code;
        this.bytes = bytes;
        this.type = type;
    }

    /** As users write it. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** {@code kofn_precision}. */
    int code() {
        return code;
    }

    /** The size of a number. */
    int bytes() {
        return bytes;
    }

    /** LibTorch's type. */
    ScalarType type() {
        return type;
    }

    /** Options of such a tensor, in the caller's scope. */
    TensorOptions options() {
        return new TensorOptions(type);
    }
}
