#pragma once

#include <cstdint>

/**
 * Products of matrices on tensor cores: `mma.sync` (PTX ISA, "Multiply-and-accumulate instruction: mma"), sm_80 and later.
 * d += A·B for A [16, K], B [K, 8] and d [16, 8] in single precision; K = 16 in bf16, 8 in tf32. Rows of A and columns of
 * B are 32 bytes, eight words, in both. Lane l, with g = l/4 and t = l mod 4, holds
 *
 *   a   words t of rows g and g + 8, then words t + 4 of the same rows
 *   b   words t and t + 4 of column g
 *   d   columns 2t and 2t + 1 of row g, then of row g + 8
 *
 * Numbers for tf32 must have been rounded (tf32.h).
 */
#if defined(KOFN_EMULATED)

#include "../emulation/mma.h"

#else

namespace kofn::cuda {

template <bool BF16>
__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (BF16) {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    } else {
        asm volatile(
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
}

}  // namespace kofn::cuda

#endif
