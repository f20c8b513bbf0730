package org.kofn.recipe;

/** The type of the module's tensors while it trains; masters, logits and optimiser state are fp32 in either case. */
public enum Precision {
    /** 32-bit IEEE floats. */
    FP32,
    /** bfloat16: the exponent of fp32 with 8 bits of precision; halves memory traffic, fast on tensor cores. */
    BF16
}
