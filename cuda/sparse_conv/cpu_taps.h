#pragma once

#include "cpu_tile.h"

/** Convolutions of any kernel, tap by tap: 1×1 above all. Part of sparse_conv_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

/**
 * A line of Vectors vectors for Outputs outputs in lock-step, which all have k kept channels. With a list for each
 * output every multiplication loads its input; with one list for all (Shared) a loaded vector serves all outputs, and
 * the loop is that of a dense matrix product. OneTap: 1×1, whose inner loop would otherwise be about itself.
 */
template <int Lanes, int Outputs, int Vectors, bool Shared, bool OneTap>
void taps_tile(const Tile& tile) {
    constexpr int lists = Shared ? 1 : Outputs;
    const int64_t kept = tile.kept, step = tile.in_step;
    const int64_t taps = OneTap ? 1 : tile.tap_count;
    const int32_t* offsets = tile.offsets;
    const float* weights = tile.weights;

    Vector<Lanes> sum[Outputs * Vectors];
    clear<Lanes>(sum);
    // The offsets of the next channel are read ahead of all that waits for this one's vectors.
    const float* next[lists];
    KOFN_UNROLL
    for (int l = 0; l < lists; ++l) {
        next[l] = tile.x + offsets[l];
    }
    for (int64_t i = 0; i < kept; ++i) {
        const float* x[lists];
        offsets += lists;
        KOFN_UNROLL
        for (int l = 0; l < lists; ++l) {
            x[l] = next[l];
            next[l] = tile.x + offsets[l];  // behind the last list stands a channel too
            if (tile.prefetch) {
                prefetch<Lanes, Vectors>(next[l], step);
            }
        }
        for (int64_t t = 0; t < taps; ++t, weights += Outputs) {
            const int64_t tap = OneTap ? 0 : tile.taps[t];
            if constexpr (Shared) {
                Vector<Lanes> value[Vectors];
                KOFN_UNROLL
                for (int v = 0; v < Vectors; ++v) {
                    value[v] = load<Lanes>(x[0] + tap + v * step);
                }
                KOFN_UNROLL
                for (int o = 0; o < Outputs; ++o) {
                    const Vector<Lanes> w = broadcast<Lanes>(weights[o]);
                    KOFN_UNROLL
                    for (int v = 0; v < Vectors; ++v) {
                        sum[o * Vectors + v] += value[v] * w;
                    }
                }
            } else {
                KOFN_UNROLL
                for (int o = 0; o < Outputs; ++o) {
                    const Vector<Lanes> w = broadcast<Lanes>(weights[o]);
                    KOFN_UNROLL
                    for (int v = 0; v < Vectors; ++v) {
                        sum[o * Vectors + v] += load<Lanes>(x[o] + tap + v * step) * w;
                    }
                }
            }
        }
    }
    finish<Lanes>(tile, sum, Outputs, 1, Vectors);
}

}  // namespace kofn::conv::KOFN_VARIANT
