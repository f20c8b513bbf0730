#pragma once

#include <cstdint>
#include <cstring>

#include "warp.h"

/**
 * `mma.sp::ordered_metadata` on the host, as the PTX ISA states it: from a lane's registers to rows and columns. Products
 * are exact and a sum is rounded once; tensor cores round more often, in an order of their own. What the ISA leaves
 * undefined is reported: kept places that do not ascend, and (our strictness) numbers that are not rounded to tf32.
 */
namespace kofn::emulation {

/** What a lane brings, and the part of the sum that it takes home. */
struct SparseProduct {
    const std::uint32_t* a;
    const std::uint32_t* b;
    std::uint32_t metadata;
    float* d;
};

/** Matrices as the warp holds them together; KEPT numbers in a row of A, ROWS in B. */
template <int KEPT, int ROWS>
struct SparseMatrices {
    double a[16][KEPT];
    int place[16][KEPT];  // the row of B that a kept number is multiplied with
    double b[ROWS][8];

    /** d += A·B, for each lane its four. */
    void multiply(const SparseProduct* const (&lanes)[WARP]) const {
        for (unsigned lane = 0; lane < WARP; ++lane) {
            for (unsigned i = 0; i < 4; ++i) {
                const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
                double sum = static_cast<double>(lanes[lane]->d[i]);
                for (int j = 0; j < KEPT; ++j) {
                    sum += a[row][j] * b[place[row][j]][column];
                }
                lanes[lane]->d[i] = static_cast<float>(sum);
            }
        }
    }
};

inline double float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
}

/** The four bits of metadata for a chunk of a row: one of two lanes of four holds them, a row in each of its halves. */
inline unsigned sparse_index(const SparseProduct* const (&lanes)[WARP], unsigned selector, unsigned row,
                             unsigned chunk) {
    const unsigned holder = row % 8 * 4 + selector * 2 + chunk / 4;
    return lanes[holder]->metadata >> (row / 8 * 16 + chunk % 4 * 4) & 15u;
}

inline void multiply_sparse_bf16(const SparseProduct* const (&lanes)[WARP], unsigned selector) {
    SparseMatrices<16, 32> all;
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const unsigned group = lane / 4, in_group = lane % 4;
        for (unsigned i = 0; i < 8; ++i) {
            const unsigned shift = i % 2 * 16;
            const unsigned row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
            const unsigned first_column = in_group * 4 + (i < 4 ? 0 : 16);
            const unsigned index = sparse_index(lanes, selector, row, first_column / 4);
            if ((index & 3u) >= index >> 2) {
                report("mma.sp: metadata %x of row %u, column %u does not ascend", index, row, first_column);
            }
            const unsigned kept = first_column / 2 + i % 2;
            all.a[row][kept] = float_of(lanes[lane]->a[i / 2] >> shift << 16);
            all.place[row][kept] = static_cast<int>(first_column + (index >> (i % 2 * 2) & 3u));
            all.b[in_group * 2 + i % 2 + i / 2 * 8][group] = float_of(lanes[lane]->b[i / 2] >> shift << 16);
        }
    }
    all.multiply(lanes);
}

inline void multiply_sparse_tf32(const SparseProduct* const (&lanes)[WARP], unsigned selector) {
    SparseMatrices<8, 16> all;
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const unsigned group = lane / 4, in_group = lane % 4;
        for (unsigned i = 0; i < 4; ++i) {
            const unsigned row = i % 2 == 0 ? group : group + 8;
            const unsigned first_column = in_group * 2 + (i < 2 ? 0 : 8);
            const unsigned index = sparse_index(lanes, selector, row, first_column / 2);
            if (index != 0b0100 && index != 0b1110) {
                report("mma.sp: metadata %x of row %u, column %u means nothing in tf32", index, row, first_column);
            }
            const unsigned kept = first_column / 2;
            if (((lanes[lane]->a[i] | lanes[lane]->b[i]) & 0x1FFFu) != 0) {
                report("mma.sp: lane %u brings numbers that are not rounded to tf32", lane);
            }
            all.a[row][kept] = float_of(lanes[lane]->a[i]);
            all.place[row][kept] = static_cast<int>(first_column + (index == 0b1110 ? 1 : 0));
            all.b[in_group + i * 4][group] = float_of(lanes[lane]->b[i]);
        }
    }
    all.multiply(lanes);
}

/** Waits for the whole warp; the last to come multiplies. */
template <class Multiply>
inline void meet_to_multiply(const char* name, const SparseProduct& mine, Place place, Multiply multiply) {
    std::uint64_t address = reinterpret_cast<std::uintptr_t>(&mine);
    meet(name, 0xFFFFFFFFu, address, 0, place, [multiply](Thread* warp, unsigned) {
        const SparseProduct* lanes[WARP];
        for (unsigned lane = 0; lane < WARP; ++lane) {
            lanes[lane] = reinterpret_cast<const SparseProduct*>(warp[lane].wait.value);
        }
        multiply(lanes);
    });
}

}  // namespace kofn::emulation

namespace kofn::cuda {

template <int SELECTOR>
inline void mma_sparse_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[4],
                            std::uint32_t metadata, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    static_assert(SELECTOR == 0 || SELECTOR == 1, "names a pair of lanes");
    emulation::meet_to_multiply("mma.sp bf16", {a, b, metadata, d}, {file, line}, [](const auto& lanes) {
        emulation::multiply_sparse_bf16(lanes, SELECTOR);
    });
}

template <int SELECTOR>
inline void mma_sparse_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[4],
                            std::uint32_t metadata, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    static_assert(SELECTOR == 0 || SELECTOR == 1, "names a pair of lanes");
    emulation::meet_to_multiply("mma.sp tf32", {a, b, metadata, d}, {file, line}, [](const auto& lanes) {
        emulation::multiply_sparse_tf32(lanes, SELECTOR);
    });
}

}  // namespace kofn::cuda
