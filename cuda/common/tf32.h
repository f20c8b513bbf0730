#pragma once

#include "arithmetic.h"

/** Numbers as tensor cores take them in tf32: a float whose last 13 bits of fraction are zero. */
namespace kofn {

/** Rounded to nearest, halves away from zero. On the device the last 13 bits may hold anything: it does not read them. */
KOFN_HD uint32_t to_tf32(float x) {
#if defined(__CUDA_ARCH__)
    uint32_t rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return rounded;
#else
    const uint32_t bits = float_bits(x);
    return is_finite(x) ? (bits + 0x1000u) & 0xFFFFE000u : bits & 0xFFFFE000u;
#endif
}

}  // namespace kofn
