#pragma once

#include "cpu_bf16.h"
#include "cpu_variant.h"
#include "cpu_vector.h"

/** What both kinds of loops do with finished sums. Part of sparse_conv_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

/** Element: float, or Bf16 where the sums are rounded as they are stored. */
template <int Lanes, bool Residual, class Element>
inline __attribute__((always_inline)) void finish_planes(const Tile& tile, const Vector<Lanes>* sums, int outputs,
                                                         int lines, int vectors) {
    // Limits instead of cases: a loop without branches. Comparisons with NaN are false, so NaN stays NaN.
    const float infinity = __builtin_inff();
    const Vector<Lanes> least = broadcast<Lanes>(tile.activation == KOFN_IDENTITY ? -infinity : 0.0f);
    const Vector<Lanes> most = broadcast<Lanes>(tile.activation == KOFN_RELU6 ? 6.0f : infinity);
    const int64_t line = tile.out_line;
    [[maybe_unused]] const bool streams = tile.stream;
    for (int o = 0; o < outputs; ++o) {
        const Vector<Lanes> bias = broadcast<Lanes>(tile.bias[o]);
        for (int v = 0; v < vectors; ++v) {
            const uint32_t lanes = tile.lanes[v];
            const Vector<Lanes>* sum = sums + static_cast<int64_t>(o) * lines * vectors + v;
            const int64_t at = tile.planes[o] + v * tile.out_step;
            Element* to = static_cast<Element*>(tile.output) + at;
            const Element* residual = static_cast<const Element*>(tile.residual) + (Residual ? at : 0);
            for (int h = 0; h < lines; ++h, sum += vectors, to += line) {
                Vector<Lanes> y = *sum + bias;
                if (Residual) {
                    y += load_lanes<Lanes>(residual, lanes);
                    residual += line;
                }
                y = y < least ? least : y;
                y = y > most ? most : y;
                if constexpr (sizeof(Element) == sizeof(float)) {
                    if (streams) {
                        stream<Lanes>(to, y);
                        continue;
                    }
                }
                store_lanes<Lanes>(to, y, lanes);
            }
        }
    }
}

template <int Lanes, class Element>
inline __attribute__((always_inline)) void finish_outputs(const Tile& tile, const Vector<Lanes>* sums, int outputs,
                                                          int lines, int vectors) {
    if (tile.residual == nullptr) {
        finish_planes<Lanes, false, Element>(tile, sums, outputs, lines, vectors);
    } else {
        finish_planes<Lanes, true, Element>(tile, sums, outputs, lines, vectors);
    }
}

/**
 * Bias, residual, activation; then the lanes that exist go to memory. The sums [outputs][lines][vectors] come through
 * memory: as a part of every loop over tiles this would be most of the library's code.
 */
template <int Lanes>
__attribute__((noinline)) void finish(const Tile& tile, const Vector<Lanes>* sums, int outputs, int lines,
                                      int vectors) {
    const int existing = outputs < tile.outputs ? outputs : tile.outputs;
    if (tile.bf16) {
        finish_outputs<Lanes, Bf16>(tile, sums, existing, lines, vectors);
    } else {
        finish_outputs<Lanes, float>(tile, sums, existing, lines, vectors);
    }
}

/** Zeros, in registers: an initialiser would clear the memory that the sums take at the end. */
template <int Lanes, int Count>
inline __attribute__((always_inline)) void clear(Vector<Lanes> (&sums)[Count]) {
    KOFN_UNROLL
    for (int i = 0; i < Count; ++i) {
        sums[i] = Vector<Lanes>{};
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
