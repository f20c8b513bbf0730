#pragma once

#include "cpu_tile.h"

/** The heart of 3×3 convolutions of many images. Part of sparse_conv_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

/**
 * A tile of Lines × Vectors pixels of sixteen images, for some outputs one after the other. The nine weights of a kernel
 * are held in registers, so that each pixel of input under the tile is loaded once for up to nine multiplications:
 * with tiles of 7 × 3 pixels 45 loads for 189, where rows_tile needs 117, which keeps the load units busier than the
 * multipliers. Column after column, so that every sum still runs down the columns of taps.
 *
 * Whole: the tile is the whole plane and padding 1, so that what surrounds it is zeros, which are not multiplied: of the
 * products of a plane of 4 × 4 pixels 31 %, of 2 × 2 56 %. Weights must be finite, as zeros in memory have it too.
 */
template <int Lanes, int Stride, int Outputs, int Lines, int Vectors, bool Whole>
void pixels_tile(const Tile& tile) {
    constexpr int taps = 3, images = 16;
    // Of the input under the tile; without the padding if it is known to be such.
    constexpr int in_lines = (Lines - 1) * Stride + taps, in_columns = (Vectors - 1) * Stride + taps;
    constexpr int first = Whole ? 1 : 0, behind = Whole && Stride == 1 ? 1 : 0;
    const int64_t row = tile.in_row;
    const int32_t* offsets = tile.offsets;
    const float* weights = tile.weights;
    const float* corner = tile.x + first * (row + images);

    Vector<Lanes> sum[Outputs * Lines * Vectors];
    clear<Lanes>(sum);
    // The offsets of the next channel are read ahead of all that waits for this one's pixels.
    const float* next[Outputs];
    KOFN_UNROLL
    for (int o = 0; o < Outputs; ++o) {
        next[o] = corner + offsets[o];
    }
    for (int64_t i = 0; i < tile.kept; ++i, weights += taps * taps * Outputs) {
        offsets += Outputs;
        KOFN_UNROLL
        for (int o = 0; o < Outputs; ++o) {
            const float* column = next[o];
            next[o] = corner + offsets[o];  // behind the last list stands a channel too
            if (tile.prefetch) {
                const float* ahead = next[o];
                KOFN_UNROLL
                for (int r = first; r < in_lines - behind; ++r) {
                    KOFN_UNROLL
                    for (int c = first; c < in_columns - behind; ++c) {
                        __builtin_prefetch(ahead + (c - first) * images);
                    }
                    ahead = opaque(ahead + row);
                }
            }
            Vector<Lanes> w[taps * taps];
            KOFN_UNROLL
            for (int t = 0; t < taps * taps; ++t) {
                w[t] = broadcast<Lanes>(weights[t * Outputs + o]);
            }
            KOFN_UNROLL
            for (int c = first; c < in_columns - behind; ++c, column += images) {
                const float* pixel = column;
                KOFN_UNROLL
                for (int r = first; r < in_lines - behind; ++r) {
                    const Vector<Lanes> value = load<Lanes>(pixel);
                    KOFN_UNROLL
                    for (int s = taps - 1; s >= 0; --s) {
                        KOFN_UNROLL
                        for (int t = 0; t < taps; ++t) {
                            const int v = (c - s) / Stride, h = (r - t) / Stride;
                            if (c >= s && (c - s) % Stride == 0 && v < Vectors && r >= t && (r - t) % Stride == 0
                                && h < Lines) {
                                sum[(o * Lines + h) * Vectors + v] += value * w[s * taps + t];
                            }
                        }
                    }
                    pixel = opaque(pixel + row);
                }
            }
        }
    }
    finish<Lanes>(tile, sum, Outputs, Lines, Vectors);
}

}  // namespace kofn::conv::KOFN_VARIANT
