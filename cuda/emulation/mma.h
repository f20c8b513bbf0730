#pragma once

#include <cstdint>
#include <cstring>

#include "warp.h"

/**
 * `mma.sync` on the host, as the PTX ISA states it: from a lane's registers to rows and columns. Products are exact and a
 * sum is rounded once; tensor cores round more often, in an order of their own. Numbers that are not rounded to tf32 are
 * reported (our strictness: tensor cores do not read the last bits).
 */
namespace kofn::emulation {

/** What a lane brings, and the part of the sum that it takes home. */
struct DenseProduct {
    const std::uint32_t* a;
    const std::uint32_t* b;
    float* d;
};

/** Number `half` of a register: of two in bf16, the only one in tf32. */
template <bool BF16>
inline double number_in(std::uint32_t bits, unsigned half) {
    if (!BF16 && (bits & 0x1FFFu) != 0) {
        report("mma: a lane brings numbers that are not rounded to tf32");
    }
    const std::uint32_t as_float = BF16 ? bits >> 16 * half << 16 : bits;
    float value;
    std::memcpy(&value, &as_float, sizeof value);
    return static_cast<double>(value);
}

/** d += A·B. In both types a row of A and a column of B are eight registers long, of which four lanes hold two each. */
template <bool BF16>
inline void multiply_dense(const Thread* warp) {
    constexpr unsigned NUMBERS = BF16 ? 2 : 1;
    const auto brought = [warp](unsigned lane) {
        return reinterpret_cast<const DenseProduct*>(warp[lane].wait.value);
    };
    double a[16][8 * NUMBERS], b[8][8 * NUMBERS];
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const unsigned group = lane / 4, in_group = lane % 4;
        for (unsigned half = 0; half < NUMBERS; ++half) {
            for (unsigned i = 0; i < 4; ++i) {
                a[group + i % 2 * 8][(in_group + i / 2 * 4) * NUMBERS + half] = number_in<BF16>(brought(lane)->a[i], half);
            }
            for (unsigned i = 0; i < 2; ++i) {
                b[group][(in_group + i * 4) * NUMBERS + half] = number_in<BF16>(brought(lane)->b[i], half);
            }
        }
    }
    for (unsigned lane = 0; lane < WARP; ++lane) {
        for (unsigned i = 0; i < 4; ++i) {
            const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            double sum = static_cast<double>(brought(lane)->d[i]);
            for (unsigned k = 0; k < 8 * NUMBERS; ++k) {
                sum += a[row][k] * b[column][k];
            }
            brought(lane)->d[i] = static_cast<float>(sum);
        }
    }
}

}  // namespace kofn::emulation

namespace kofn::cuda {

template <bool BF16>
inline void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    const emulation::DenseProduct mine{a, b, d};
    emulation::meet("mma", 0xFFFFFFFFu, reinterpret_cast<std::uintptr_t>(&mine), 0, {file, line},
                    [](emulation::Thread* warp, unsigned) { emulation::multiply_dense<BF16>(warp); });
}

}  // namespace kofn::cuda
