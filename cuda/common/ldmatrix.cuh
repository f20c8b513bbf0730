#pragma once

#include <cstdint>

/**
 * Loads four 8×8 matrices of 16-bit numbers from shared memory into the registers of a warp (`ldmatrix`). Lane l gives
 * the address of row l mod 8 of matrix l/8, 16 bytes at a multiple of 16. In register i it gets, of matrix i, the
 * neighbours (l/4, 2(l mod 4)) and (l/4, 2(l mod 4) + 1); with TRANSPOSED, those of the transposed matrix.
 */
#if defined(KOFN_EMULATED)

#include "../emulation/ldmatrix.h"

#else

namespace kofn::cuda {

template <bool TRANSPOSED>
__device__ __forceinline__ void load_matrices(uint32_t (&registers)[4], const void* row) {
    const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    if constexpr (TRANSPOSED) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                     : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                     : "r"(from)
                     : "memory");
    } else {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                     : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                     : "r"(from)
                     : "memory");
    }
}

}  // namespace kofn::cuda

#endif
