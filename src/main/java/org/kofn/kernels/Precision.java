package org.kofn.kernels;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What is stored and how it is multiplied, {@code kofn_precision} of the native kernels, in its order. Sums are single
 * precision always.
 */
public enum Precision {
    /** 32-bit IEEE floats everywhere. */
    FP32,
    /** Stored as fp32; tensor cores may round factors to 10 bits of fraction. */
    TF32,
    /** Activations and weights stored as bfloat16. */
    BF16;

    /** As users write it, and files hold it. */
    @JsonValue
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** LibTorch's type of what is stored. */
    public ScalarType type() {
        return this == BF16 ? ScalarType.BFloat16 : ScalarType.Float;
    }

    /** The size of a stored number. */
    public int bytes() {
        return this == BF16 ? 2 : 4;
    }

    @Override
    public String toString() {
        return word();
    }
}
