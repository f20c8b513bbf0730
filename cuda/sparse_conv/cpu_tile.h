#pragma once

#include "cpu_variant.h"
#include "cpu_vector.h"

/** What both kinds of loops do with finished sums. Part of sparse_conv_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

/**
 * Bias, residual, activation; then the lanes that exist go to memory. The sums [outputs][lines][vectors] come through
 * memory: as a part of every loop over tiles this would be most of the library's code.
 */
template <int Lanes>
__attribute__((noinline)) void finish(const Tile& tile, const Vector<Lanes>* sums, int outputs, int lines,
                                      int vectors) {
    const int existing = outputs < tile.outputs ? outputs : tile.outputs;
    for (int o = 0; o < existing; ++o) {
        const Vector<Lanes> bias = broadcast<Lanes>(tile.bias[o]);
        for (int h = 0; h < lines; ++h) {
            int64_t at = tile.planes[o] + h * tile.out_line;
            for (int v = 0; v < vectors; ++v, ++sums, at += tile.out_step) {
                const uint32_t lanes = tile.lanes[v];
                Vector<Lanes> y = *sums + bias;
                if (tile.residual != nullptr) {
                    y += load_lanes<Lanes>(tile.residual + at, lanes);
                }
                if (tile.activation != KOFN_IDENTITY) {
                    y = y < 0.0f ? Vector<Lanes>{} : y;  // NaN stays NaN
                    if (tile.activation == KOFN_RELU6) {
                        y = y > 6.0f ? broadcast<Lanes>(6.0f) : y;
                    }
                }
                store_lanes<Lanes>(tile.output + at, y, lanes);
            }
        }
    }
}

/**
 * The same pointer, of whose origin the compiler knows nothing. It would otherwise keep one address for each of the
 * many places that a loop reads, and spill them, where one pointer that moves from row to row is enough.
 */
inline __attribute__((always_inline)) const float* opaque(const float* pointer) {
    asm("" : "+r"(pointer));
    return pointer;
}

/** Has the cache fetch what the next channel of a list needs: no prefetcher foresees how lists jump between planes. */
template <int Lanes, int Vectors>
inline __attribute__((always_inline)) void prefetch(const float* line, int64_t step) {
    // One request a cache line: of narrow vectors side by side, every second.
    constexpr int stride = Lanes == 16 ? 1 : 16 / Lanes;
    if (Lanes == 16 || step == Lanes) {
        KOFN_UNROLL
        for (int v = 0; v < Vectors; v += stride) {
            __builtin_prefetch(line + v * step);
        }
    } else {
        KOFN_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            __builtin_prefetch(line + v * step);
        }
    }
}

}  // namespace kofn::conv::KOFN_VARIANT
