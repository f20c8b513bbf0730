#pragma once

#include <cstdint>

/**
 * Products of a sparse and a dense matrix on tensor cores: `mma.sp` (PTX ISA, "Multiply-and-accumulate instruction:
 * mma.sp"), sm_80 and later. d += A·B for A [16, K], of which half is kept, B [K, 8] and d [16, 8] in single precision:
 *
 *   bf16   K = 32, two of every four neighbours in a row of A are kept, at any places
 *   tf32   K = 16, one of every two neighbours is kept (the tensor cores know no 2:4 of 32-bit numbers)
 *
 * With `ordered_metadata` the kept places ascend; without it, later architectures are slow. Which lane holds what is in
 * mma_sparse_layout.h. SELECTOR says which lanes' metadata count: 0 for lanes 0 and 1 of every four, 1 for 2 and 3; so
 * one register serves two products. Numbers for tf32 must have been rounded (tf32.h).
 */
#if defined(KOFN_EMULATED)

#include "../emulation/mma_sparse.h"

#else

namespace kofn::cuda {

template <int SELECTOR>
__device__ __forceinline__ void mma_sparse_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4],
                                                uint32_t metadata) {
    asm volatile(
        "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%0,%1,%2,%3}, %12, %13;\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata),
          "n"(SELECTOR));
}

template <int SELECTOR>
__device__ __forceinline__ void mma_sparse_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4],
                                                uint32_t metadata) {
    asm volatile(
        "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%0,%1,%2,%3}, %12, %13;\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata),
          "n"(SELECTOR));
}

}  // namespace kofn::cuda

#endif
