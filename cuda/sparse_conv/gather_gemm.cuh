#pragma once

#include <type_traits>

#include "../emulation/cuda_or_emulation.h"
#include "../common/arithmetic.h"
#include "../common/async_copy.cuh"
#include "../common/ldmatrix.cuh"
#include "../common/mma.cuh"
#include "../common/tf32.h"
#include "gather.h"

/**
 * The gathered method: an implicit matrix product, M outputs that share a list × P pixels, whose inner dimension is the
 * kept channels times the taps. A chunk is 32 bytes of channels, 16 in bf16 and 8 in tf32. Its planes are gathered once,
 * turned to [position][channel] in shared memory, and used by all taps; while tensor cores work on one chunk, the next
 * is gathered through registers, and weights come by asynchronous copies. Every output's sum runs over chunks, then
 * taps, in one accumulator: its bits depend on neither tile nor grid.
 */
namespace kofn::conv {

/** How a block is split into warps. */
template <int M, int P>
struct GatherTile {
    static constexpr int WARP_OUTPUTS = M < 32 ? M : 32;
    static constexpr int OUTPUT_WARPS = M / WARP_OUTPUTS;
    static constexpr int PIXEL_WARPS = M <= 32 ? 4 : 2;
    static constexpr int WARP_PIXELS = P / PIXEL_WARPS;
    static constexpr int THREADS = 32 * OUTPUT_WARPS * PIXEL_WARPS;
    static_assert(M % 16 == 0 && WARP_PIXELS % 16 == 0, "matrices of 16 outputs, loads of 16 pixels");
};

/** 32 bytes a position. The halves of every other four positions change places: eight in a row meet all banks. */
__device__ __forceinline__ uint32_t swizzled(int32_t position, uint32_t half) {
    const uint32_t at = static_cast<uint32_t>(position);
    return at * 32 + ((half ^ (at >> 2 & 1)) * 16);
}

/** Half a position on its way from global to shared memory: 16 bytes of as many channels. */
template <bool BF16>
class GatherUnit {
public:
    using Stored = std::conditional_t<BF16, uint16_t, float>;
    static constexpr int CHANNELS = BF16 ? 8 : 4;

    __device__ __forceinline__ void fetch(const Stored* input, const int32_t* list, const int32_t* source,
                                          int32_t positions, int32_t unit) {
        const int32_t half = unit >= positions ? 1 : 0;
        const int32_t position = unit - half * positions;
        to_ = swizzled(position, static_cast<uint32_t>(half));
        const int32_t from = source[position];
#pragma unroll
        for (int i = 0; i < CHANNELS; ++i) {
            const int32_t plane = list[half * CHANNELS + i];
            values_[i] = (from | plane) >= 0 ? input[plane + from] : Stored(0);
        }
    }

    __device__ __forceinline__ void store(unsigned char* patch) const {
        uint32_t words[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if constexpr (BF16) {
                words[i] = values_[2 * i] | static_cast<uint32_t>(values_[2 * i + 1]) << 16;
            } else {
                words[i] = to_tf32(values_[i]);
            }
        }
        float4 all;
        all.x = bits_float(words[0]);
        all.y = bits_float(words[1]);
        all.z = bits_float(words[2]);
        all.w = bits_float(words[3]);
        *reinterpret_cast<float4*>(patch + to_) = all;
    }

private:
    Stored values_[CHANNELS] = {};
    uint32_t to_ = 0;
};

/** Where a tile begins. */
struct GatherOrigin {
    int32_t image, row, column;

    __device__ __forceinline__ GatherOrigin(const Gather& g, int32_t tile)
        : image(tile / (g.column_tiles * g.row_tiles) * g.images),
          row(tile / g.column_tiles % g.row_tiles * g.tile_rows),
          column(tile % g.column_tiles * g.tile_columns) {}

    /** The element of the input behind a position of the patch, but for the channel; −1 for a zero. */
    __device__ __forceinline__ int32_t source(const Gather& g, int32_t position) const {
        const int32_t pitch = g.column_classes * g.class_columns, height = g.row_classes * g.class_rows;
        const int32_t c = position % pitch, r = position / pitch % height, i = position / pitch / height;
        const int32_t x = (column + c % g.class_columns) * g.stride_columns + c / g.class_columns - g.padding_columns;
        const int32_t y = (row + r % g.class_rows) * g.stride_rows + r / g.class_rows - g.padding_rows;
        const bool there = image + i < g.batch && x >= 0 && x < g.width && y >= 0 && y < g.height;
        return there ? ((image + i) * g.inputs * g.height + y) * g.width + x : -1;
    }

    /** Where a pixel of the tile reads in the patch at the first tap, and where it goes to, but for the channel, or −1. */
    __device__ __forceinline__ void pixel(const Gather& g, int32_t pixel, int32_t& place, int32_t& target) const {
        const int32_t w = pixel % g.tile_columns, h = pixel / g.tile_columns % g.tile_rows;
        const int32_t i = pixel / g.tile_columns / g.tile_rows;
        const bool inside = i < g.images;
        place = inside ? (i * g.row_classes * g.class_rows + h) * g.column_classes * g.class_columns + w : 0;
        const bool there =
            inside && image + i < g.batch && row + h < g.out_height && column + w < g.out_width;
        target = there ? ((image + i) * g.outputs * g.out_height + row + h) * g.out_width + column + w : -1;
    }
};

template <bool BF16>
__device__ __forceinline__ void gather_finish(const Gather& g, float sum, int32_t output, int32_t target) {
    const int32_t at = target + output * g.out_height * g.out_width;
    sum += g.bias[output];
    if (g.residual != nullptr) {
        sum += BF16 ? from_bfloat16(static_cast<const uint16_t*>(g.residual)[at])
                    : static_cast<const float*>(g.residual)[at];
    }
    sum = g.activation != 0 && sum < 0.0f ? 0.0f : sum;
    sum = g.activation == 2 && sum > 6.0f ? 6.0f : sum;
    if constexpr (BF16) {
        static_cast<uint16_t*>(g.output)[at] = to_bfloat16(sum);
    } else {
        static_cast<float*>(g.output)[at] = sum;
    }
}

template <bool BF16, int M, int P>
__global__ void __launch_bounds__(GatherTile<M, P>::THREADS) gather_gemm(KOFN_GRID_CONSTANT(Gather) g) {
    using Tile = GatherTile<M, P>;
    using Unit = GatherUnit<BF16>;
    constexpr int ROWS = Tile::WARP_OUTPUTS / 16, COLUMNS = Tile::WARP_PIXELS / 8, IN_FLIGHT = 2;
    const int32_t positions = g.images * g.row_classes * g.class_rows * g.column_classes * g.class_columns;
    const int32_t stage_bytes = g.step_taps * M * 32;
    KOFN_DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* const weights = shared;
    unsigned char* const patches = weights + GATHER_STAGES * stage_bytes;
    int32_t* const source = reinterpret_cast<int32_t*>(patches + 2 * positions * 32);
    int32_t* const place = source + positions;
    int32_t* const target = place + P;

    const int32_t thread = static_cast<int32_t>(threadIdx.x), lane = thread % 32, warp = thread / 32;
    const int32_t block = static_cast<int32_t>(blockIdx.x) % g.blocks;
    const GatherOrigin origin(g, static_cast<int32_t>(blockIdx.x) / g.blocks);
    for (int32_t i = thread; i < positions; i += Tile::THREADS) {
        source[i] = origin.source(g, i);
    }
    for (int32_t i = thread; i < P; i += Tile::THREADS) {
        origin.pixel(g, i, place[i], target[i]);
    }
    __syncthreads();

    const auto* const input = static_cast<const typename Unit::Stored*>(g.input);
    const int32_t* const list =
        g.list + static_cast<int64_t>(block * M / g.share) * g.chunks * (2 * Unit::CHANNELS);
    const int32_t steps = g.chunks * g.taps / g.step_taps;
    const char* const packed =
        reinterpret_cast<const char*>(g.weights) + static_cast<int64_t>(block) * steps * stage_bytes;
    const auto copy_weights = [&](int32_t step) {
        if (step < steps) {
            for (int32_t i = thread * 16; i < stage_bytes; i += Tile::THREADS * 16) {
                cuda::copy_async<16>(weights + step % GATHER_STAGES * stage_bytes + i,
                                     packed + static_cast<int64_t>(step) * stage_bytes + i, true);
            }
        }
        cuda::commit_copies(); // an empty group at the end, so that counting them stays simple
    };
    for (int32_t step = 0; step < GATHER_STAGES - 1; ++step) {
        copy_weights(step);
    }
    for (int32_t u = thread; u < 2 * positions; u += Tile::THREADS) {
        Unit unit;
        unit.fetch(input, list, source, positions, u);
        unit.store(patches);
    }

    // A load of four matrices takes 16 pixels, each with both halves of its 32 bytes.
    int32_t reads[COLUMNS / 2];
    const int32_t first_pixel = warp % Tile::PIXEL_WARPS * Tile::WARP_PIXELS;
    const int32_t first_output = warp / Tile::PIXEL_WARPS * Tile::WARP_OUTPUTS;
    const uint32_t half = static_cast<uint32_t>(lane / 8 % 2);
#pragma unroll
    for (int n = 0; n < COLUMNS / 2; ++n) {
        reads[n] = place[first_pixel + n * 16 + lane / 16 * 8 + lane % 8];
    }
    float sums[ROWS][COLUMNS][4] = {};

    const int32_t chunk_steps = g.taps / g.step_taps;
    for (int32_t chunk = 0, step = 0; chunk < g.chunks; ++chunk) {
        const unsigned char* const patch = patches + chunk % 2 * positions * 32;
        unsigned char* const next_patch = patches + (chunk + 1) % 2 * positions * 32;
        const int32_t* const next_list = list + (chunk + 1) * (2 * Unit::CHANNELS);
        const int32_t units = chunk + 1 < g.chunks ? 2 * positions : 0;
        int32_t next = thread;
        for (int32_t s = 0; s < chunk_steps; ++s, ++step) {
            cuda::wait_for_copies<GATHER_STAGES - 2>();
            __syncthreads(); // this step's weights and patch are there, the last step's are free
            copy_weights(step + GATHER_STAGES - 1);
            const unsigned char* const stage = weights + step % GATHER_STAGES * stage_bytes;
            for (int32_t t = 0; t < g.step_taps; ++t) {
                Unit in_flight[IN_FLIGHT];
#pragma unroll
                for (int i = 0; i < IN_FLIGHT; ++i) {
                    if (next + i * Tile::THREADS < units) {
                        in_flight[i].fetch(input, next_list, source, positions, next + i * Tile::THREADS);
                    }
                }
                uint32_t a[ROWS][4];
#pragma unroll
                for (int m = 0; m < ROWS; ++m) {
                    const float4 words = *reinterpret_cast<const float4*>(
                        stage + (t * (M / 16) + first_output / 16 + m) * 512 + lane * 16);
                    a[m][0] = float_bits(words.x);
                    a[m][1] = float_bits(words.y);
                    a[m][2] = float_bits(words.z);
                    a[m][3] = float_bits(words.w);
                }
                const int32_t offset = g.offsets[s * g.step_taps + t];
#pragma unroll
                for (int n = 0; n < COLUMNS / 2; ++n) {
                    uint32_t b[4];
                    cuda::load_matrices<false>(b, patch + swizzled(reads[n] + offset, half));
                    const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
                    for (int m = 0; m < ROWS; ++m) {
                        cuda::mma<BF16>(sums[m][2 * n], a[m], left);
                        cuda::mma<BF16>(sums[m][2 * n + 1], a[m], right);
                    }
                }
#pragma unroll
                for (int i = 0; i < IN_FLIGHT; ++i) {
                    if (next + i * Tile::THREADS < units) {
                        in_flight[i].store(next_patch);
                    }
                }
                next += IN_FLIGHT * Tile::THREADS;
            }
        }
        for (; next < units; next += Tile::THREADS) { // what the taps had no room for
            Unit unit;
            unit.fetch(input, next_list, source, positions, next);
            unit.store(next_patch);
        }
    }
    cuda::wait_for_copies<0>();

#pragma unroll
    for (int m = 0; m < ROWS; ++m) {
#pragma unroll
        for (int n = 0; n < COLUMNS; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int32_t to = target[first_pixel + n * 8 + lane % 4 * 2 + i % 2];
                if (to >= 0) {
                    const int32_t output = block * M + first_output + m * 16 + lane / 4 + i / 2 * 8;
                    gather_finish<BF16>(g, sums[m][n][i], output, to);
                }
            }
        }
    }
}

}  // namespace kofn::conv
