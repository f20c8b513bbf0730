#pragma once

#include "direct.cuh"
#include "direct_correlate.cuh"

/**
 * The gradient of the kept kernels and of the bias on a GPU: the direct method with dy in the place of sums. A block
 * takes some outputs through a part of the tiles, one after the other. It stages x as the forward pass does, so that a
 * plane serves all lists of the block that keep it; in the place of weights, sums come and go, from the L2 cache. A sum
 * runs over the tiles of a part, each of which adds one number; a second kernel adds up the parts. What is summed with
 * what follows from the shape alone.
 */
namespace kofn::conv {

/** The kernel's parameter. Blocks are counted as [parts][output blocks]. */
struct WeightGradient {
    Direct direct;         /* of x, with GRADIENT_LANES lanes; `list` says where planes of dy lie */
    const void* gradient;  /* dy */
    const int32_t* places; /* [entries of all lists] */
    float* weights;        /* of the first part, [O/b][k][b][R][S] */
    float* bias;           /* of the first part, [O], or null */
    int64_t part;          /* floats from the sums of a part to those of the next */
    int32_t parts, kept, share;
};

/** A warp's patches of dy, a row of all of them at a time: neighbouring lanes load neighbouring columns (store_sums). */
template <class T, class Patch>
__device__ __forceinline__ void load_patches(const Direct& d, const T* dy, float (&values)[Patch::ROWS][Patch::COLUMNS],
                                             float* turned, const int32_t* targets, int32_t first_output) {
    const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
#pragma unroll
    for (int row = 0; row < Patch::ROWS; ++row) {
#pragma unroll 4
        for (int i = 0; i < Patch::COLUMNS; ++i) {
            const int32_t at = lane + 32 * i, to = at / Patch::COLUMNS, column = at % Patch::COLUMNS;
            const int32_t output = first_output + to / GRADIENT_LANES;
            const int32_t from = targets[(to % GRADIENT_LANES * Patch::ROWS + row) * Patch::COLUMNS + column];
            float value = 0;
            if (from >= 0 && output < d.outputs) {
                const T stored = dy[from + d.list[output].plane];
                if constexpr (std::is_same_v<T, float>) {
                    value = stored;
                } else {
                    value = from_bfloat16(stored);
                }
            }
            turned[to * DIRECT_TURN_PITCH<Patch> + column] = value;
        }
        __syncwarp();
#pragma unroll
        for (int column = 0; column < Patch::COLUMNS; ++column) {
            values[row][column] = turned[lane * DIRECT_TURN_PITCH<Patch> + column];
        }
        __syncwarp();
    }
}

/** Entries of the longest list of the warp. Its lanes go on together, for they change sums. */
__device__ __forceinline__ int32_t longest_of_warp(int32_t entries) {
    for (int flip = GRADIENT_LANES; flip < 32; flip *= 2) {
        const int32_t other = __shfl_xor_sync(0xFFFFFFFFu, entries, flip);
        entries = entries < other ? other : entries;
    }
    return entries;
}

template <class T, class Patch>
__global__ void __launch_bounds__(DIRECT_THREADS, 1) weight_gradient(KOFN_GRID_CONSTANT(WeightGradient) g) {
    const Direct& d = g.direct;
    KOFN_DYNAMIC_SHARED(float, ring);
    DirectItem* const items = reinterpret_cast<DirectItem*>(ring + d.ring_words);
    int32_t* const targets = reinterpret_cast<int32_t*>(items + d.items);
    const int32_t thread = static_cast<int32_t>(threadIdx.x), threads = static_cast<int32_t>(blockDim.x);
    const int32_t output_block = static_cast<int32_t>(blockIdx.x) % d.output_blocks;
    const int32_t part = static_cast<int32_t>(blockIdx.x) / d.output_blocks;
    const DirectPart& of = d.parts[output_block];
    const DirectStage<T> stage(d, of, ring, items);
    const int32_t chunks = (of.channels + d.chunk - 1) / d.chunk;

    const int32_t in_block = thread / GRADIENT_LANES, lane = thread % GRADIENT_LANES;
    const int32_t output = output_block * d.block_outputs + in_block, taps = d.rows * d.columns;
    const bool exists = output < d.outputs;
    const int32_t list = exists ? output : 0; // those that do not exist have ends of 0
    // Counted in 32 bits, as far as they go: patches take nearly all registers.
    const int32_t first_place = static_cast<int32_t>(d.list[list].first);
    const int32_t first_sum = (list / g.share * g.kept * g.share + list % g.share) * taps;
    const float* const x = ring + Patch::base(d, lane);
    const int32_t first_of_warp = output_block * d.block_outputs + thread / 32 * (32 / GRADIENT_LANES);
    const int32_t first_tile = static_cast<int32_t>(int64_t{d.tiles} * part / g.parts);
    const int32_t last_tile = static_cast<int32_t>(int64_t{d.tiles} * (part + 1) / g.parts);
    float bias = 0;

    for (int32_t tile = first_tile; tile < last_tile; ++tile) {
        for (int32_t i = thread; i < d.items; i += threads) {
            items[i] = item_of<Patch>(d, tile, i);
        }
        for (int32_t i = thread; i < GRADIENT_LANES * Patch::ROWS * Patch::COLUMNS; i += threads) {
            targets[i] = target_of<Patch>(d, tile, i);
        }
        __syncthreads();
        float dy[Patch::ROWS][Patch::COLUMNS];
        load_patches<T, Patch>(d, static_cast<const T*>(g.gradient), dy,
                               ring + thread / 32 * 32 * DIRECT_TURN_PITCH<Patch>, targets, first_of_warp);
        __syncthreads(); // the ring is free for channels
        stage.start(0);
#pragma unroll
        for (int row = 0; row < Patch::ROWS; ++row) {
#pragma unroll
            for (int column = 0; column < Patch::COLUMNS; ++column) {
                bias += dy[row][column];
            }
        }
        int32_t entry = 0, next_end = d.ends[of.first_end + in_block], place = g.places[first_place];
        cuda::wait_for_copies<0>();
        __syncthreads();

        for (int32_t step = 0; step < chunks; ++step) {
            const int32_t end = next_end;
            if (step + 1 < chunks) {
                stage.start(step + 1);
                next_end = d.ends[of.first_end + (step + 1) * d.block_outputs + in_block];
            }
            for (int32_t left = longest_of_warp(end - entry); left > 0; --left) {
                const int32_t at = first_sum + entry * g.share * taps, now = place;
                const EntrySums sums{g.weights + part * g.part + at, lane, entry < end, tile == first_tile};
                entry += sums.there ? 1 : 0;
                place = g.places[first_place + entry]; // a place follows the last
                Correlation<Patch>::add(d, dy, x + now, sums);
            }
            cuda::wait_for_copies<0>();
            __syncthreads();
        }
    }
    bias = sum_of_lanes(bias);
    if (g.bias != nullptr && exists && lane == 0) {
        g.bias[part * g.part + output] = bias;
    }
}

/** The sums of all parts, each of weights and bias behind each other. */
struct GradientParts {
    const float* sums;
    float *weights, *bias;      /* bias may be null */
    int64_t part, kernels, all; /* floats: from part to part, of weights, of weights and bias if that is wanted */
    int32_t parts;
};

constexpr int32_t ADDING_THREADS = 256;

/** In the order of parts. */
static __global__ void __launch_bounds__(ADDING_THREADS) add_parts(KOFN_GRID_CONSTANT(GradientParts) g) {
    const int64_t threads = int64_t{ADDING_THREADS} * gridDim.x;
    for (int64_t i = int64_t{ADDING_THREADS} * blockIdx.x + threadIdx.x; i < g.all; i += threads) {
        float sum = g.sums[i];
#pragma unroll 8
        for (int32_t part = 1; part < g.parts; ++part) {
            sum += g.sums[part * g.part + i];
        }
        (i < g.kernels ? g.weights[i] : g.bias[i - g.kernels]) = sum;
    }
}

}  // namespace kofn::conv
