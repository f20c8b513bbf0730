#pragma once

#include "cpu_tile.h"

/** The heart of 3×3 convolutions. Part of sparse_conv_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

/**
 * A tile of Lines rows of Vectors vectors, for some outputs in lock-step. For every kept channel and every column of
 * taps, each row of input under the tile is loaded once and multiplied into up to three rows of sums: 3·(Lines + 2)
 * loads for 9·Lines fused multiplications a vector, where one tap after the other would need as many loads as
 * multiplications.
 *
 * Column: floats from column to column, 1 or 16. Stride: of the rows; of columns too if Column is 16, for else the
 * input is split, and the second column of taps lies in another plane than the first and third.
 */
template <int Lanes, int Column, int Stride, int Outputs, int Lines, int Vectors>
void rows_tile(const Tile& tile) {
    constexpr int taps = 3;
    constexpr int in_lines = (Lines - 1) * Stride + taps;
    constexpr int64_t step = Column == 1 ? Lanes : Column * Stride;
    // From the first column of taps to the last.
    constexpr int floats = static_cast<int>(step) * (Vectors - 1) + (Column == 1 ? Lanes + taps - 1 : Column * taps);
    // By how many lanes the vectors of a column of taps begin behind those that are loaded: see `shifts`.
    constexpr auto shift = [](int s) { return !shifts<Lanes> || Column != 1 ? 0 : Stride == 1 ? s : s / 2; };
    const int64_t row = tile.in_row;
    const int64_t columns[taps] = {tile.taps[0], tile.taps[taps], tile.taps[2 * taps]};
    const int64_t kept = tile.kept;
    const int32_t* offsets = tile.offsets;
    const float* weights = tile.weights;

    Vector<Lanes> sum[Outputs * Lines * Vectors];
    clear<Lanes>(sum);
    // The offsets of the next channel are read ahead of all that waits for this one's rows.
    const float* next[Outputs];
    KOFN_UNROLL
    for (int o = 0; o < Outputs; ++o) {
        next[o] = tile.x + offsets[o];
    }
    for (int64_t i = 0; i < kept; ++i) {
        const float* x[Outputs];
        offsets += Outputs;
        KOFN_UNROLL
        for (int o = 0; o < Outputs; ++o) {
            x[o] = next[o];
            next[o] = tile.x + offsets[o];  // behind the last list stands a channel too
        }
        if (tile.prefetch) {
            KOFN_UNROLL
            for (int o = 0; o < Outputs; ++o) {
                const float* ahead = next[o];
                KOFN_UNROLL
                for (int r = 0; r < in_lines; ++r) {
                    KOFN_UNROLL
                    for (int f = 0; f < floats; f += 16) {
                        __builtin_prefetch(ahead + f);
                        if (Column == 1 && Stride > 1) {
                            __builtin_prefetch(ahead + columns[1] + f);
                        }
                    }
                    ahead = opaque(ahead + row);
                }
            }
        }
        KOFN_UNROLL
        for (int s = 0; s < taps; ++s, weights += taps * Outputs) {
            KOFN_UNROLL
            for (int o = 0; o < Outputs; ++o) {
                const Vector<Lanes> w[taps] = {broadcast<Lanes>(weights[o]), broadcast<Lanes>(weights[Outputs + o]),
                                               broadcast<Lanes>(weights[2 * Outputs + o])};
                const float* line = x[o] + columns[s] - shift(s);
                KOFN_UNROLL
                for (int r = 0; r < in_lines; ++r) {
                    Vector<Lanes> next = load<Lanes>(line);
                    KOFN_UNROLL
                    for (int v = 0; v < Vectors; ++v) {
                        Vector<Lanes> value = next;
                        if (v + 1 < Vectors || shift(s) > 0) {
                            next = load<Lanes>(line + (v + 1) * step);
                            value = shifted<Lanes>(value, next, shift(s));
                        }
                        KOFN_UNROLL
                        for (int t = 0; t < taps; ++t) {
                            const int h = (r - t) / Stride;
                            if (r >= t && (r - t) % Stride == 0 && h < Lines) {
                                sum[(o * Lines + h) * Vectors + v] += value * w[t];
                            }
                        }
                    }
                    line = opaque(line + row);
                }
            }
        }
    }
    finish<Lanes>(tile, sum, Outputs, Lines, Vectors);
}

}  // namespace kofn::conv::KOFN_VARIANT
