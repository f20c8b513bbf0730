#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "gather_gemm.cuh"
#include "sparse_conv_cuda.h"

/** The gathered method on the host: which convolutions it takes, the tile, packing, the launch. */
namespace kofn::conv {

/** Lists that 16 outputs or more share, on tensor cores. Tensors have less than 2³¹ elements. */
inline bool gather_takes(const kofn_conv& conv, int32_t precision) {
    return precision != KOFN_FP32 && conv.share % 16 == 0;
}

/** A convolution packed, in the host's memory. The kernel's pointers are still to be filled in. */
struct GatherPlan {
    Gather kernel{};
    bool bf16;
    int32_t outputs, pixels; /* of a block */
    std::vector<uint32_t> weights;
    std::vector<int32_t> list;

    GatherPlan(const kofn_conv& conv, int32_t batch, int32_t precision, int32_t multiprocessors);

    std::string describe() const {
        return "gathered " + std::to_string(outputs) + "x" + std::to_string(pixels) + (bf16 ? ", bf16" : ", tf32");
    }
    cudaError_t launch(const Gather& with_pointers, cudaStream_t stream) const;

private:
    void pack(const kofn_conv& conv);
};

/** A shape of the tile and what follows from it; false if it does not fit shared memory. */
inline bool gather_shape(Gather& g, const kofn_conv& c, int32_t m, int32_t pixels, int32_t rows, int32_t columns) {
    const bool whole = rows == g.out_height && columns == g.out_width;
    g.tile_rows = rows;
    g.tile_columns = columns;
    g.row_tiles = (g.out_height + rows - 1) / rows;
    g.column_tiles = (g.out_width + columns - 1) / columns;
    g.row_classes = std::min(c.rows, c.stride_rows);
    g.class_rows = rows + (c.rows - 1) / c.stride_rows;
    g.column_classes = std::min(c.columns, c.stride_columns);
    g.class_columns = columns + (c.columns - 1) / c.stride_columns;
    g.images = 1;
    const int32_t room = (GATHER_MOST_SHARED - gather_shared_bytes(m, pixels, 0, 1)) / 68 / g.positions();
    g.images = whole ? std::max(1, std::min({g.batch, pixels / (rows * columns), room})) : 1;
    g.image_tiles = (g.batch + g.images - 1) / g.images;
    return room > 0;
}

/** Of a step, as many taps as divide all, fit, and bring 8 KB of weights at most (more would not hide more). */
inline int32_t gather_step_taps(const Gather& g, int32_t m, int32_t pixels) {
    int32_t best = 1;
    for (int32_t taps = 2; taps <= g.taps; ++taps) {
        if (g.taps % taps == 0 && taps * m * 32 <= 8192
            && gather_shared_bytes(m, pixels, g.positions(), taps) <= GATHER_MOST_SHARED) {
            best = taps;
        }
    }
    return best;
}

inline GatherPlan::GatherPlan(const kofn_conv& conv, int32_t batch, int32_t precision, int32_t multiprocessors)
    : bf16(precision == KOFN_BF16) {
    Gather& g = kernel;
    g.inputs = conv.inputs;
    g.outputs = conv.outputs;
    g.height = conv.height;
    g.width = conv.width;
    g.batch = batch;
    g.share = conv.share;
    g.activation = conv.activation;
    g.stride_rows = conv.stride_rows;
    g.stride_columns = conv.stride_columns;
    g.padding_rows = conv.padding_rows;
    g.padding_columns = conv.padding_columns;
    g.out_height = (conv.height + 2 * conv.padding_rows - conv.rows) / conv.stride_rows + 1;
    g.out_width = (conv.width + 2 * conv.padding_columns - conv.columns) / conv.stride_columns + 1;
    g.taps = conv.rows * conv.columns;
    g.chunks = (conv.kept + (bf16 ? 15 : 7)) / (bf16 ? 16 : 8);

    // The least work of the busiest multiprocessor: multiplications, and 16 loads and a store for a position, which
    // take about as long as 64 multiplications of an output by a pixel. Few outputs a block are limited by shared memory.
    int64_t least = INT64_MAX;
    Gather best = g;
    for (const int32_t m : {128, 64, 32, 16}) {
        for (const int32_t p : {128, 64}) {
            for (int32_t columns = 1; conv.share % m == 0 && columns <= std::min(g.out_width, p); ++columns) {
                for (int32_t rows = 1; rows <= std::min(g.out_height, p / columns); ++rows) {
                    if (!gather_shape(g, conv, m, p, rows, columns)) {
                        break;
                    }
                    g.blocks = conv.outputs / m;
                    const int64_t waves = (int64_t{g.tiles()} * g.blocks + multiprocessors - 1) / multiprocessors;
                    const int64_t products = int64_t{g.taps} * p * m * (m == 16 ? 8 : m == 32 ? 5 : 4) / 4;
                    const int64_t work = waves * (products + 64 * g.positions());
                    if (work < least) {
                        least = work;
                        best = g;
                        outputs = m;
                        pixels = p;
                    }
                }
            }
        }
    }
    g = best;
    g.step_taps = gather_step_taps(g, outputs, pixels);
    for (int32_t tap = 0; tap < g.taps; ++tap) {
        const int32_t r = tap / conv.columns, s = tap % conv.columns;
        g.offsets[tap] = (r % g.stride_rows * g.class_rows + r / g.stride_rows) * g.patch_row()
            + s % g.stride_columns * g.class_columns + s / g.stride_columns;
    }
    pack(conv);
}

/** Lists as offsets of planes; weights in the order in which lanes hold them (mma.cuh), zeros behind the last channel. */
inline void GatherPlan::pack(const kofn_conv& conv) {
    const Gather& g = kernel;
    const int32_t in_word = bf16 ? 2 : 1, in_chunk = 8 * in_word;
    for (int32_t l = 0; l < conv.outputs / conv.share; ++l) {
        for (int32_t i = 0; i < g.chunks * in_chunk; ++i) {
            list.push_back(i < conv.kept ? conv.indices[int64_t{l} * conv.kept + i] * g.height * g.width : -1);
        }
    }
    const auto weight = [&](int32_t output, int32_t i, int32_t tap) {
        const int64_t entry = int64_t{output / conv.share} * conv.kept + i;
        return i < conv.kept ? conv.weights[(entry * conv.share + output % conv.share) * g.taps + tap] : 0.0f;
    };
    weights.reserve(static_cast<size_t>(conv.outputs) * g.chunks * g.taps * 8);
    for (int32_t block = 0; block < g.blocks; ++block) {
        for (int32_t step = 0; step < g.chunks * g.taps; ++step) {
            for (int32_t fragment = 0; fragment < outputs / 16 * 128; ++fragment) {
                const int32_t word = fragment % 4, lane = fragment / 4 % 32;
                const int32_t output = block * outputs + fragment / 128 * 16 + word % 2 * 8 + lane / 4;
                const int32_t i = step / g.taps * in_chunk + (word / 2 * 4 + lane % 4) * in_word;
                const float first = weight(output, i, step % g.taps);
                weights.push_back(bf16 ? to_bfloat16(first)
                                          | static_cast<uint32_t>(to_bfloat16(weight(output, i + 1, step % g.taps))) << 16
                                       : to_tf32(first));
            }
        }
    }
}

/** All in device memory. */
inline cudaError_t GatherPlan::launch(const Gather& g, cudaStream_t stream) const {
    const unsigned grid = static_cast<unsigned>(g.tiles() * g.blocks);
    const size_t bytes = static_cast<size_t>(gather_shared_bytes(outputs, pixels, g.positions(), g.step_taps));
    const auto start = [&](auto of_bf16, auto m, auto p) {
        constexpr int M = decltype(m)::value, P = decltype(p)::value;
        constexpr bool BF16 = decltype(of_bf16)::value;
        KOFN_LAUNCH((gather_gemm<BF16, M, P>), grid, (GatherTile<M, P>::THREADS), bytes, stream, g);
    };
    const auto with_pixels = [&](auto of_bf16, auto m) {
        pixels == 128 ? start(of_bf16, m, std::integral_constant<int, 128>())
                      : start(of_bf16, m, std::integral_constant<int, 64>());
    };
    const auto with_outputs = [&](auto of_bf16) {
        switch (outputs) {
            case 128: return with_pixels(of_bf16, std::integral_constant<int, 128>());
            case 64: return with_pixels(of_bf16, std::integral_constant<int, 64>());
            case 32: return with_pixels(of_bf16, std::integral_constant<int, 32>());
            default: return with_pixels(of_bf16, std::integral_constant<int, 16>());
        }
    };
    bf16 ? with_outputs(std::true_type()) : with_outputs(std::false_type());
    return cudaGetLastError();
}

}  // namespace kofn::conv
