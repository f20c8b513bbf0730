#pragma once

#include "cpu_tile.h"

/** 3×3 convolutions of planes that fit in a vector. Part of sparse_conv_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

#if defined(__AVX512F__)
/** Of planes up to sixteen pixels, both of input and output; more outputs at once than the pipelines are deep. */
constexpr int outputs_of_small = 8, lines_of_small = 8;

/**
 * Whole planes for some outputs in lock-step. The input comes packed, sixteen floats a channel, so that few channels
 * leave the first level of cache; a tap is a permutation of its plane, in which lanes beyond the plane's edge are 0.
 * Other loops would fill a quarter of their vectors with 2 × 2 pixels and load each once a tap.
 */
inline void small_tile(const Tile& tile) {
    constexpr int lanes = 16, taps = 9;
    __m512i source[taps];
    KOFN_UNROLL
    for (int t = 0; t < taps; ++t) {
        source[t] = _mm512_loadu_si512(tile.taps + t * lanes);
    }
    const __m512 zero = _mm512_setzero_ps();
    const int32_t* offsets = tile.offsets;
    const float* weights = tile.weights;
    Vector<lanes> sum[outputs_of_small];
    clear<lanes>(sum);
    for (int64_t i = 0; i < tile.kept; ++i, offsets += outputs_of_small, weights += taps * outputs_of_small) {
        __m512 plane[outputs_of_small];
        KOFN_UNROLL
        for (int o = 0; o < outputs_of_small; ++o) {
            plane[o] = load<lanes>(tile.x + offsets[o]);
        }
        KOFN_UNROLL
        for (int t = 0; t < taps; ++t) {
            KOFN_UNROLL
            for (int o = 0; o < outputs_of_small; ++o) {
                const Vector<lanes> value = _mm512_permutex2var_ps(plane[o], source[t], zero);
                sum[o] += value * broadcast<lanes>(weights[t * outputs_of_small + o]);
            }
        }
    }
    // Rows apart, as they lie in the output.
    alignas(64) float pixels[2 * lanes] = {};
    Vector<lanes> rows[outputs_of_small * lines_of_small];
    const int lines = tile.lines, columns = __builtin_popcount(tile.lanes[0]);
    for (int o = 0; o < outputs_of_small; ++o) {
        store_lanes<lanes>(pixels, sum[o], all_lanes<lanes>);
        for (int h = 0; h < lines; ++h) {
            rows[o * lines + h] = load<lanes>(pixels + h * columns);
        }
    }
    finish<lanes>(tile, rows, outputs_of_small, lines, 1);
}
#endif

}  // namespace kofn::conv::KOFN_VARIANT
