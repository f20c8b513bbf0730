#pragma once

#include <cstdint>
#include <cstring>

#include "warp.h"

/** `ldmatrix` of four matrices on the host; addresses must be in shared memory and aligned. */
namespace kofn::emulation {

/** The address that a lane brings, and its registers. */
struct MatrixLoad {
    const unsigned char* row;
    std::uint32_t* registers;
};

inline void load_for_all(Thread* warp, bool transposed) {
    const auto load_of = [warp](unsigned lane) {
        return reinterpret_cast<const MatrixLoad*>(warp[lane].wait.value);
    };
    std::uint16_t matrices[4][8][8];
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const unsigned char* row = load_of(lane)->row;
        const unsigned char* shared = machine().shared;
        if (row < shared || row + 16 > shared + MOST_SHARED || (row - shared) % 16 != 0) {
            report("ldmatrix: lane %u reads at %td of shared memory", lane, row - shared);
        }
        std::memcpy(matrices[lane / 8][lane % 8], row, 16);
    }
    for (unsigned lane = 0; lane < WARP; ++lane) {
        for (unsigned i = 0; i < 4; ++i) {
            const unsigned a = lane / 4, b = lane % 4 * 2;
            const std::uint32_t low = transposed ? matrices[i][b][a] : matrices[i][a][b];
            const std::uint32_t high = transposed ? matrices[i][b + 1][a] : matrices[i][a][b + 1];
            load_of(lane)->registers[i] = low | high << 16;
        }
    }
}

}  // namespace kofn::emulation

namespace kofn::cuda {

template <bool TRANSPOSED>
inline void load_matrices(std::uint32_t (&registers)[4], const void* row, const char* file = __builtin_FILE(),
                          int line = __builtin_LINE()) {
    const emulation::MatrixLoad mine{static_cast<const unsigned char*>(row), registers};
    emulation::meet("ldmatrix", 0xFFFFFFFFu, reinterpret_cast<std::uintptr_t>(&mine), 0, {file, line},
                    [](emulation::Thread* warp, unsigned) { emulation::load_for_all(warp, TRANSPOSED); });
}

}  // namespace kofn::cuda
