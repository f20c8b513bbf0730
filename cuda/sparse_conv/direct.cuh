#pragma once

#include <type_traits>

#include "../emulation/cuda_or_emulation.h"
#include "../common/arithmetic.h"
#include "../common/async_copy.cuh"
#include "direct_patch.cuh"

/** The kernels of the direct method (direct.h). T is what tensors hold, float or bfloat16's bits. */
namespace kofn::conv {

/** Where an image's patch lies. */
struct DirectPatch {
    int32_t image, row, column; /* of its first output */

    template <class Patch>
    __device__ __forceinline__ static DirectPatch of(const Direct& d, int32_t patch) {
        return {patch / d.patch_columns / d.patch_rows, patch / d.patch_columns % d.patch_rows * Patch::ROWS,
                patch % d.patch_columns * Patch::COLUMNS};
    }
};

/** What a 1×1 convolution reads for output pixel `pixel`, counted over all images; −1 for padding. */
__device__ __forceinline__ int32_t source_of_point(const Direct& d, int32_t pixel) {
    const int32_t plane = d.out_height * d.out_width, image = pixel / plane;
    const int32_t y = pixel % plane / d.out_width * d.stride_rows - d.padding_rows;
    const int32_t x = pixel % d.out_width * d.stride_columns - d.padding_columns;
    const bool there = y >= 0 && y < d.height && x >= 0 && x < d.width;
    return there ? (image * d.inputs * d.height + y) * d.width + x : -1;
}

template <class Patch>
__device__ __forceinline__ DirectItem item_of(const Direct& d, int32_t tile, int32_t item) {
    if constexpr (std::is_same_v<Patch, PointsPatch>) {
        const int32_t word = d.vectors != 0 ? 4 * item : item;
        const int64_t pixel = int64_t{tile} * d.plane_words + word;
        const bool there = pixel < int64_t{d.batch} * d.out_height * d.out_width;
        return {word, there ? source_of_point(d, static_cast<int32_t>(pixel)) : -1};
    } else {
        const int32_t c = item % d.in_columns, r = item / d.in_columns % d.in_rows;
        const int32_t in_tile = item / d.in_columns / d.in_rows, patch = tile * d.lanes + in_tile;
        const DirectPatch at = DirectPatch::of<Patch>(d, patch);
        const int32_t y = at.row * d.stride_rows - d.padding_rows + r;
        const int32_t x = at.column * d.stride_columns - d.padding_columns + c;
        const bool there = patch < d.patches && y >= 0 && y < d.height && x >= 0 && x < d.width;
        return {in_tile * d.patch_words + r * d.pitch + c,
                there ? (at.image * d.inputs * d.height + y) * d.width + x : -1};
    }
}

__device__ __forceinline__ int32_t place_of_output(const Direct& d, int32_t image, int32_t row, int32_t column) {
    return d.out_origin + image * d.out_image + row * d.out_row + column * d.out_column;
}

/** Where an output of the tile goes to, but for its channel; −1 if there is none. [patch][row][column] */
template <class Patch>
__device__ __forceinline__ int32_t target_of(const Direct& d, int32_t tile, int32_t output) {
    const int32_t column = output % Patch::COLUMNS, row = output / Patch::COLUMNS % Patch::ROWS;
    const int32_t in_tile = output / (Patch::COLUMNS * Patch::ROWS);
    if constexpr (std::is_same_v<Patch, PointsPatch>) {
        const int32_t plane = d.out_height * d.out_width;
        const int64_t pixel = int64_t{tile} * d.plane_words + (row * d.lanes + in_tile) * 4 + column;
        const int32_t image = static_cast<int32_t>(pixel / plane), in_plane = static_cast<int32_t>(pixel % plane);
        return image < d.batch ? place_of_output(d, image, in_plane / d.out_width, in_plane % d.out_width) : -1;
    } else {
        const int32_t patch = tile * d.lanes + in_tile;
        const DirectPatch at = DirectPatch::of<Patch>(d, patch);
        const bool there = patch < d.patches && at.row + row < d.out_height && at.column + column < d.out_width;
        return there ? place_of_output(d, at.image, at.row + row, at.column + column) : -1;
    }
}

/** Brings some channels into the ring. Floats come by asynchronous copies; bfloat16 becomes float on its way. */
template <class T>
class DirectStage {
public:
    __device__ __forceinline__ DirectStage(const Direct& d, const DirectPart& part, float* ring, const DirectItem* items)
        : d_(d), part_(part), ring_(ring), items_(items) {
        // Each thread takes an item through some channels: all of them, if items are as many as threads.
        const int32_t threads = static_cast<int32_t>(blockDim.x);
        groups_ = threads >= 2 * d.items ? threads / d.items : 1;
        stride_ = groups_ > 1 ? d.items : threads;
    }

    __device__ __forceinline__ void start(int32_t chunk) const {
        const int32_t first = chunk * d_.chunk;
        const int32_t count = part_.channels - first < d_.chunk ? part_.channels - first : d_.chunk;
        const int32_t group = static_cast<int32_t>(threadIdx.x) / stride_;
        const int32_t* channels = d_.channels + part_.first_channel + first;
        float* place = ring_ + chunk % d_.places * d_.chunk * d_.plane_words;
        if (group < groups_) {
            for (int32_t i = static_cast<int32_t>(threadIdx.x) % stride_; i < d_.items; i += stride_) {
                const DirectItem item = items_[i];
#pragma unroll 4
                for (int32_t c = group; c < count; c += groups_) {
                    copy(place + c * d_.plane_words + item.word, channels[c], item.source);
                }
            }
        }
        cuda::commit_copies();
    }

private:
    __device__ __forceinline__ void copy(float* to, int32_t channel, int32_t source) const {
        const T* from = static_cast<const T*>(d_.x) + (source < 0 ? 0 : channel + source);
        if constexpr (std::is_same_v<T, float>) {
            if (d_.vectors != 0) {
                cuda::copy_async<16>(to, from, source >= 0);
            } else {
                cuda::copy_async<4>(to, from, source >= 0);
            }
        } else if (d_.vectors != 0) {
            ushort4 four = make_ushort4(0, 0, 0, 0);
            if (source >= 0) {
                four = *reinterpret_cast<const ushort4*>(from);
            }
            *reinterpret_cast<float4*>(to) = make_float4(from_bfloat16(four.x), from_bfloat16(four.y),
                                                         from_bfloat16(four.z), from_bfloat16(four.w));
        } else {
            *to = source >= 0 ? from_bfloat16(*from) : 0.0f;
        }
    }

    const Direct& d_;
    const DirectPart& part_;
    float* ring_;
    const DirectItem* items_;
    int32_t groups_, stride_;
};

/** Bias, residual, activation; y at `at`, counted within a plane. */
template <class T>
__device__ __forceinline__ void finish(const Direct& d, float sum, const DirectOutput& output, int32_t at) {
    sum += output.bias;
    at += output.plane;
    if (d.residual != nullptr) {
        if constexpr (std::is_same_v<T, float>) {
            sum += static_cast<const float*>(d.residual)[at];
        } else {
            sum += from_bfloat16(static_cast<const uint16_t*>(d.residual)[at]);
        }
    }
    sum = d.activation != 0 && sum < 0.0f ? 0.0f : sum;
    sum = d.activation == 2 && sum > 6.0f ? 6.0f : sum;
    if constexpr (std::is_same_v<T, float>) {
        static_cast<float*>(d.y)[at] = sum;
    } else {
        static_cast<uint16_t*>(d.y)[at] = to_bfloat16(sum);
    }
}

/** Floats from lane to lane while a row of a warp's patches is turned to the order of memory. */
template <class Patch>
constexpr int DIRECT_TURN_PITCH = Patch::COLUMNS == 8 ? 12 : Patch::COLUMNS; // so that eight lanes meet all banks

/** A warp's outputs, a row of all its patches at a time, so that neighbouring lanes store neighbouring columns. */
template <class T, class Patch>
__device__ __forceinline__ void store_sums(const Direct& d, const float (&sums)[Patch::ROWS][Patch::COLUMNS],
                                           float* turned, const int32_t* targets, int32_t first_output) {
    const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
#pragma unroll
    for (int row = 0; row < Patch::ROWS; ++row) {
#pragma unroll
        for (int column = 0; column < Patch::COLUMNS; ++column) {
            turned[lane * DIRECT_TURN_PITCH<Patch> + column] = sums[row][column];
        }
        __syncwarp();
#pragma unroll 2
        for (int i = lane; i < 32 * Patch::COLUMNS; i += 32) {
            const int32_t from = i / Patch::COLUMNS, column = i % Patch::COLUMNS;
            const int32_t output = first_output + from / d.lanes;
            const int32_t to = targets[(from % d.lanes * Patch::ROWS + row) * Patch::COLUMNS + column];
            if (to >= 0 && output < d.outputs) {
                finish<T>(d, turned[from * DIRECT_TURN_PITCH<Patch> + column], d.list[output], to);
            }
        }
        __syncwarp();
    }
}

/** A block: one tile of patches, some outputs. */
template <class T, class Patch>
__global__ void __launch_bounds__(DIRECT_THREADS, 1) direct(KOFN_GRID_CONSTANT(Direct) d) {
    KOFN_DYNAMIC_SHARED(float, ring);
    DirectItem* const items = reinterpret_cast<DirectItem*>(ring + d.ring_words);
    int32_t* const targets = reinterpret_cast<int32_t*>(items + d.items);
    const int32_t thread = static_cast<int32_t>(threadIdx.x), threads = static_cast<int32_t>(blockDim.x);
    const int32_t output_block = static_cast<int32_t>(blockIdx.x) % d.output_blocks;
    const int32_t tile = static_cast<int32_t>(blockIdx.x) / d.output_blocks;
    for (int32_t i = thread; i < d.items; i += threads) {
        items[i] = item_of<Patch>(d, tile, i);
    }
    for (int32_t i = thread; i < d.lanes * Patch::ROWS * Patch::COLUMNS; i += threads) {
        targets[i] = target_of<Patch>(d, tile, i);
    }
    __syncthreads();

    const DirectPart part = d.parts[output_block];
    const DirectStage<T> stage(d, part, ring, items);
    const int32_t chunks = (part.channels + d.chunk - 1) / d.chunk;
    stage.start(0);

    const int32_t in_block = thread / d.lanes, output = output_block * d.block_outputs + in_block;
    const int32_t* ends = d.ends + part.first_end + in_block;
    int32_t entry = 0, next_end = *ends;
    // Places without an output have ends of 0: they fetch a record, and use none.
    const float* records = d.records + d.list[output < d.outputs ? output : 0].first * d.record;
    const float* const x = ring + Patch::base(d, thread % d.lanes);
    typename Patch::Record record;
    record.fetch(d, records);
    float sums[Patch::ROWS][Patch::COLUMNS] = {};
    cuda::wait_for_copies<0>();
    __syncthreads();

    for (int32_t step = 0; step < chunks; ++step) {
        const int32_t end = next_end;
        if (step + 1 < chunks) {
            stage.start(step + 1);
            ends += d.block_outputs;
            next_end = *ends;
        }
        for (; entry < end; ++entry) {
            const typename Patch::Record now = record;
            const float* const weights = records;
            records += d.record;
            record.fetch(d, records); // a record follows the last
            Patch::add(d, sums, now, weights, x + now.place(d));
        }
        cuda::wait_for_copies<0>();
        __syncthreads();
    }
    store_sums<T, Patch>(d, sums, ring + thread / 32 * 32 * DIRECT_TURN_PITCH<Patch>, targets,
                         output_block * d.block_outputs + thread / 32 * 32 / d.lanes);
}

}  // namespace kofn::conv
