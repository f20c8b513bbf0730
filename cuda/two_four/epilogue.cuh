#pragma once

#include "tile.cuh"

/** From a warp's sums to memory: bias, residual, activation, rounding. */
namespace kofn::two_four {

template <class Precision>
__device__ __forceinline__ float load_number(const void* from, int64_t at) {
    const auto bits = static_cast<const typename Precision::Element*>(from)[at];
    if constexpr (Precision::IS_BF16) {
        return from_bfloat16(bits);
    } else {
        return bits_float(bits);
    }
}

template <class Precision>
__device__ __forceinline__ typename Precision::Element stored(float x) {
    if constexpr (Precision::IS_BF16) {
        return to_bfloat16(x);
    } else {
        return float_bits(x);
    }
}

/** Not a number stays what it is: comparisons with it do not hold. */
__device__ __forceinline__ float activated(float x, int32_t activation) {
    x = activation != KOFN_IDENTITY && x < 0.0f ? 0.0f : x;
    return activation == KOFN_RELU6 && x > 6.0f ? 6.0f : x;
}

/** Sixteen bytes, or eight: four elements. */
template <class Element>
struct alignas(4 * sizeof(Element)) FourElements {
    Element each[4];
};

/** Writes four neighbours from element `at` on, the first `count` of them there. */
template <class Precision>
__device__ __forceinline__ void store_neighbours(const Problem& p, const float (&sums)[4], const float (&bias)[4],
                                                 const int64_t (&at)[4], uint32_t count) {
    using Element = typename Precision::Element;
    if (p.stores_fours) {
        FourElements<Element> out, added{};
        if (p.residual != nullptr) {
            added = *reinterpret_cast<const FourElements<Element>*>(static_cast<const Element*>(p.residual) + at[0]);
        }
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const float x = sums[e] + bias[e] + load_number<Precision>(added.each, e);
            out.each[e] = stored<Precision>(activated(x, p.activation));
        }
        *reinterpret_cast<FourElements<Element>*>(static_cast<Element*>(p.output) + at[0]) = out;
        return;
    }
#pragma unroll
    for (uint32_t e = 0; e < 4; ++e) {
        if (e < count) {
            const float added = p.residual != nullptr ? load_number<Precision>(p.residual, at[e]) : 0.0f;
            const float x = sums[e] + bias[e] + added;
            static_cast<Element*>(p.output)[at[e]] = stored<Precision>(activated(x, p.activation));
        }
    }
}

/**
 * Writes the sums of a warp, from output and column `first_…` on. They go through the warp's own shared memory, 16 rows at
 * a time, so that lanes side by side write side by side: pixels, or in a linear layer outputs.
 */
template <class T>
__device__ __forceinline__ void write_sums(const Problem& p, const float (&sums)[4][4][4], float* results,
                                           uint32_t first_output, uint32_t first_column) {
    const uint32_t lane = threadIdx.x % 32, group = lane / 4, in_group = lane % 4;
    constexpr uint32_t PARTS = T::RESULT_LENGTH / 4, LINES_AT_ONCE = 32 / PARTS;
    const uint32_t first_line = lane / PARTS, part = lane % PARTS * 4;

    // Over pixels a lane keeps its four columns, which may be of several images.
    int64_t places[4] = {};
    const uint32_t column = first_column + part;
    if constexpr (!T::LINEAR) {
        uint32_t image = column / p.pixels, pixel = column % p.pixels;
#pragma unroll
        for (int64_t& place : places) {
            place = static_cast<int64_t>(image) * p.outputs * p.pixels + pixel;
            const bool last = ++pixel == p.pixels;
            image += last ? 1 : 0;
            pixel = last ? 0 : pixel;
        }
    }
#pragma unroll
    for (uint32_t slab = 0; slab < 4; ++slab) {
        __syncwarp();
#pragma unroll
        for (uint32_t tile = 0; tile < 4; ++tile) {
#pragma unroll
            for (uint32_t i = 0; i < 4; ++i) {
                const uint32_t row = group + i / 2 * 8, of_row = tile * 8 + in_group * 2 + i % 2;
                results[T::LINEAR ? of_row * T::RESULT_PITCH + row : row * T::RESULT_PITCH + of_row] =
                    sums[slab][tile][i];
            }
        }
        __syncwarp();
#pragma unroll
        for (uint32_t line = first_line; line < T::RESULT_LINES; line += LINES_AT_ONCE) {
            const auto four = *reinterpret_cast<const FourElements<float>*>(results + line * T::RESULT_PITCH + part);
            float bias[4];
            int64_t at[4];
            uint32_t count;
            if constexpr (T::LINEAR) {
                const uint32_t output = first_output + slab * 16 + part, image = first_column + line;
                count = image < p.columns && output < p.outputs ? p.outputs - output : 0;
#pragma unroll
                for (uint32_t e = 0; e < 4; ++e) {
                    at[e] = static_cast<int64_t>(image) * p.outputs + output + e;
                    bias[e] = p.bias[output + e];
                }
            } else {
                const uint32_t output = first_output + slab * 16 + line;
                count = column < p.columns && output < p.outputs ? p.columns - column : 0;
#pragma unroll
                for (uint32_t e = 0; e < 4; ++e) {
                    at[e] = places[e] + static_cast<int64_t>(output) * p.pixels;
                    bias[e] = p.bias[output];
                }
            }
            if (count > 0) {
                store_neighbours<typename T::Precision>(p, four.each, bias, at, count);
            }
        }
    }
}

}  // namespace kofn::two_four
