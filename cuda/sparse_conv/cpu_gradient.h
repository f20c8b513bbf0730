#pragma once

#include "cpu_tile.h"

/** The gradients of kept kernels. Part of sparse_conv_backward_cpu_variant.cpp. */
namespace kofn::conv::KOFN_VARIANT {

/** Which lanes of some vectors count, as this instruction set has it. */
#if defined(__AVX2__) && !defined(__AVX512F__)
using LaneMask = __m256i;
inline __attribute__((always_inline)) LaneMask mask_of(uint32_t bits) {
    return lane_mask(bits);
}
#else
using LaneMask = uint32_t;
inline __attribute__((always_inline)) LaneMask mask_of(uint32_t bits) {
    return bits;
}
#endif

/** Loads the lanes of a mask, the others are 0, without asking first whether it is full. */
template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> load_masked(const float* from, LaneMask mask) {
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from);
    } else {
        return _mm256_maskz_loadu_ps(static_cast<__mmask8>(mask), from);
    }
#elif defined(__AVX2__)
    return _mm256_maskload_ps(from, mask);
#else
    return load_lanes<Lanes>(from, mask);
#endif
}

/** The sum of a vector's lanes, through halves, always in one order. */
template <int Lanes>
inline __attribute__((always_inline)) float sum_of(Vector<Lanes> v) {
    alignas(4 * Lanes) float lanes[Lanes];
    *reinterpret_cast<Vector<Lanes>*>(lanes) = v;
    Vector<4> four = load<4>(lanes);
    KOFN_UNROLL
    for (int l = 4; l < Lanes; l += 4) {
        four += load<4>(lanes + l);
    }
    return (four[0] + four[1]) + (four[2] + four[3]);
}

/** Calls body(x, dy, lanes) for every vector of one output's gradient: the first one of each strip of lines. */
template <class Body>
inline __attribute__((always_inline)) void each_vector(const GradientTile& tile, int64_t first_line, int64_t lines,
                                                       int64_t strip, Body body) {
    for (int64_t image = 0; image < tile.image_count; ++image) {
        const GradientImage& at = tile.images[image];
        for (int64_t line = first_line; line + strip <= first_line + lines; line += strip) {
            const float* x = tile.x + at.x + line * tile.in_line;
            const float* dy = tile.gradient + at.gradient + line * tile.out_line;
            for (int64_t v = 0; v < tile.vectors; ++v) {
                body(x + v * tile.in_step, dy + v * tile.out_step, mask_of(at.lanes[tile.first_vector + v]));
            }
        }
    }
}

/** The gradient of the bias. */
template <int Lanes>
__attribute__((noinline)) void add_bias(const GradientTile& tile, int outputs) {
    for (int o = 0; o < outputs; ++o) {
        Vector<Lanes> sum{};
        each_vector(tile, 0, tile.lines, 1, [&](const float*, const float* dy, LaneMask lanes) {
            sum += load_masked<Lanes>(dy + o * tile.plane, lanes);
        });
        tile.bias[o] += sum_of<Lanes>(sum);
    }
}

/** Nine sums over a strip of Lines rows of dy: each row of x under it is loaded once for each column of taps. */
template <int Lanes, int Stride, int Lines>
inline __attribute__((always_inline)) void add_strip(Vector<Lanes> (&sum)[9], const float* x, int64_t row,
                                                     const int64_t (&columns)[3], const float* dy, int64_t line,
                                                     LaneMask lanes) {
    constexpr int in_lines = (Lines - 1) * Stride + 3;
    Vector<Lanes> d[Lines];
    KOFN_UNROLL
    for (int r = 0; r < in_lines; ++r) {
        if (r % Stride == 0 && r / Stride < Lines) {
            d[r / Stride] = load_masked<Lanes>(dy, lanes);
            dy = opaque(dy + line);
        }
        KOFN_UNROLL
        for (int s = 0; s < 3; ++s) {
            const Vector<Lanes> value = load<Lanes>(x + columns[s]);
            KOFN_UNROLL
            for (int t = 0; t < 3; ++t) {
                const int h = (r - t) / Stride;
                if (r >= t && (r - t) % Stride == 0 && h < Lines) {
                    sum[3 * t + s] += value * d[h];
                }
            }
        }
        x = opaque(x + row);
    }
}

/**
 * 3×3, one output: for each kept channel nine sums in registers, over strips of Lines rows, then single rows. A strip
 * takes 3·(Lines·stride + 2) loads of x and Lines of dy for 9·Lines multiplications.
 */
template <int Lanes, int Stride, int Lines>
void rows_gradient(const GradientTile& tile) {
    if (tile.bias != nullptr) {
        add_bias<Lanes>(tile, 1);
    }
    const int64_t columns[3] = {tile.taps[0], tile.taps[1], tile.taps[2]};
    const int64_t row = tile.in_row, line = tile.out_line, strips = tile.lines / Lines * Lines;
    float* weights = tile.weights;
    for (int64_t i = 0; i < tile.kept; ++i, weights += tile.kernel_stride) {
        Vector<Lanes> sum[9] = {};
        const int64_t channel = tile.offsets[i];
        each_vector(tile, 0, strips, Lines, [&](const float* x, const float* dy, LaneMask lanes) {
            add_strip<Lanes, Stride, Lines>(sum, x + channel, row, columns, dy, line, lanes);
        });
        each_vector(tile, strips, tile.lines - strips, 1, [&](const float* x, const float* dy, LaneMask lanes) {
            add_strip<Lanes, Stride, 1>(sum, x + channel, row, columns, dy, line, lanes);
        });
        KOFN_UNROLL
        for (int t = 0; t < 9; ++t) {
            weights[t] += sum_of<Lanes>(sum[t]);
        }
    }
}

/** Any kernel: each tap of each kept channel is a source of its own, Sources of them in lock-step for Outputs outputs. */
template <int Lanes, int Sources, int Outputs>
void taps_gradient(const GradientTile& tile) {
    if (tile.bias != nullptr) {
        add_bias<Lanes>(tile, Outputs);
    }
    const int64_t count = tile.kept * tile.tap_count;
    const int64_t plane = tile.plane;
    for (int64_t first = 0; first < count; first += Sources) {
        int64_t source[Sources], place[Sources];
        for (int j = 0; j < Sources; ++j) {
            // Those that fill up the last group are its last one again, and are not stored.
            const int64_t at = first + j < count ? first + j : count - 1;
            const int64_t i = at / tile.tap_count, tap = at % tile.tap_count;
            source[j] = tile.offsets[i] + tile.taps[tap];
            place[j] = i * tile.kernel_stride + tap;
        }
        Vector<Lanes> sum[Outputs][Sources] = {};
        each_vector(tile, 0, tile.lines, 1, [&](const float* x, const float* dy, LaneMask lanes) {
            Vector<Lanes> d[Outputs];
            KOFN_UNROLL
            for (int o = 0; o < Outputs; ++o) {
                d[o] = load_masked<Lanes>(dy + o * plane, lanes);
            }
            KOFN_UNROLL
            for (int j = 0; j < Sources; ++j) {
                const Vector<Lanes> value = load<Lanes>(x + source[j]);
                KOFN_UNROLL
                for (int o = 0; o < Outputs; ++o) {
                    sum[o][j] += value * d[o];
                }
            }
        });
        KOFN_UNROLL
        for (int o = 0; o < Outputs; ++o) {
            KOFN_UNROLL
            for (int j = 0; j < Sources; ++j) {
                if (first + j < count) {
                    tile.weights[place[j] + o * tile.tap_count] += sum_of<Lanes>(sum[o][j]);
                }
            }
        }
    }
}

}  // namespace kofn::conv::KOFN_VARIANT
