package org.kofn.recipe;

/** How convolutions under masks that stand still are computed; the result differs in rounding only. */
public enum Convolutions {
    /** By LibTorch, dropped kernels as zeros. */
    DENSE,
    /** By the native kernels, which read only what is kept, where they compute a layer. */
    SPARSE,
    /** Whichever takes less time here, measured when the phase begins. */
    AUTO
}
