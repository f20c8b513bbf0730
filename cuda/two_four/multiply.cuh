#pragma once

#include "../common/ldmatrix.cuh"
#include "../common/mma_sparse.cuh"
#include "../common/tf32.h"
#include "epilogue.cuh"
#include "stage.cuh"

/** The product of the sparse weights and the activations. */
namespace kofn::two_four {

/**
 * Weights of a warp's 64 outputs, straight from global memory: registers of four products, of the step that is next. As
 * soon as a product is done its registers are filled for the step that follows; a step more than there are is in memory.
 */
class Weights {
public:
    __device__ __forceinline__ Weights(const Problem& p, uint32_t block)
        : values_(p.values + static_cast<int64_t>(block) * p.steps * 128 + threadIdx.x % 32),
          metadata_(p.metadata + static_cast<int64_t>(block) * p.steps * 32 + threadIdx.x % 32), now_(*metadata_) {
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            products_[i] = values_[i * 32];
        }
    }

    /** product(i, registers, metadata) for products 0 … 3 of the next step. */
    template <class F>
    __device__ __forceinline__ void step(F product) {
        values_ += 128;
        metadata_ += 32;
        const Two32 next = *metadata_;
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            product(i, products_[i].words, now_.words[i / 2]);
            products_[i] = values_[i * 32];
        }
        now_ = next;
    }

private:
    const Four32* values_;
    const Two32* metadata_;
    Four32 products_[4];
    Two32 now_;
};

/** Activations of step `step` of a chunk for 8 of a warp's columns, from `column` of the tile on. */
template <class T>
__device__ __forceinline__ void load_activations(uint32_t (&b)[4], const typename T::Element* stage, uint32_t step,
                                                 uint32_t column) {
    const uint32_t lane = threadIdx.x % 32;
    if constexpr (T::Precision::IS_BF16) {
        const uint32_t first = step * 32;
        if constexpr (T::LINEAR) {
            cuda::load_matrices<false>(b, stage + (column + lane % 8) * T::PITCH + first + lane / 8 * 8);
        } else {
            cuda::load_matrices<true>(b, stage + (first + lane) * T::PITCH + column);
        }
    } else {
        // The third step takes the pairs across: inputs 1, 2 and 4 + 0, 4 + 3 of eight (weights.h).
        const uint32_t in_group = lane % 4, across = 1 + in_group * (in_group + 1) / 2; // 1, 2, 4, 7
        const uint32_t first = step < 2 ? step * 16 + in_group : across, apart = step < 2 ? 4 : 8;
        constexpr uint32_t OF_INPUT = T::LINEAR ? 1 : T::PITCH, OF_COLUMN = T::LINEAR ? T::PITCH : 1;
        stage += first * OF_INPUT + (column + lane / 4) * OF_COLUMN;
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            b[i] = to_tf32(bits_float(stage[i * apart * OF_INPUT]));
        }
    }
}

/** sum += weights times activations; products take turns with the halves of the metadata. */
template <class Precision>
__device__ __forceinline__ void multiply(float (&sum)[4], uint32_t product, const uint32_t (&a)[4],
                                         const uint32_t (&b)[4], uint32_t metadata) {
    if constexpr (Precision::IS_BF16) {
        product % 2 == 0 ? cuda::mma_sparse_bf16<0>(sum, a, b, metadata) : cuda::mma_sparse_bf16<1>(sum, a, b, metadata);
    } else {
        product % 2 == 0 ? cuda::mma_sparse_tf32<0>(sum, a, b, metadata) : cuda::mma_sparse_tf32<1>(sum, a, b, metadata);
    }
}

/** sums[product of 16 outputs][8 columns] += a step's weights times its activations. */
template <class T>
__device__ __forceinline__ void multiply_step(float (&sums)[4][4][4], Weights& weights,
                                              const typename T::Element* stage, uint32_t step, uint32_t column) {
    uint32_t b[4][4];
#pragma unroll
    for (uint32_t tile = 0; tile < 4; ++tile) {
        load_activations<T>(b[tile], stage, step, column + tile * 8);
    }
    weights.step([&](uint32_t product, const uint32_t (&a)[4], uint32_t metadata) {
#pragma unroll
        for (uint32_t tile = 0; tile < 4; ++tile) {
            multiply<typename T::Precision>(sums[product][tile], product, a, b[tile], metadata);
        }
    });
}

/**
 * A block's tile. While a chunk is multiplied the next one is copied to the other half of the stage, and the weights of
 * later steps are on their way to registers. One barrier a chunk: behind it all copies have arrived, and nobody reads what
 * is overwritten next.
 */
template <class T, int BYTES>
__device__ __forceinline__ void multiply_tile(const Problem& p, unsigned char* shared) {
    using Element = typename T::Element;
    Element* stages = reinterpret_cast<Element*>(shared);
    const uint32_t warp = threadIdx.x / 32, warp_row = warp % T::ROWS, warp_column = warp / T::ROWS * WARP_COLUMNS;
    const uint32_t first_output = blockIdx.x % p.tiles_of_outputs * T::OUTPUTS + warp_row * WARP_OUTPUTS;
    const uint32_t first_column = blockIdx.x / p.tiles_of_outputs * T::COLUMNS;
    const bool works = first_output < p.outputs && first_column + warp_column < p.columns;
    const uint32_t block = works ? first_output / WARP_OUTPUTS : 0;

    const Stager<T, BYTES> stager(p, first_column);
    stager.start(0, stages);
    cuda::commit_copies();
    float sums[4][4][4] = {};
    Weights weights(p, block);
    for (uint32_t step = 0, stage = 0; step < p.steps; step += T::STEPS, stage ^= 1) {
        cuda::wait_for_copies<0>();
        __syncthreads();
        if (step + T::STEPS < p.steps) {
            stager.start((step / T::STEPS + 1) * T::DEPTH, stages + (stage ^ 1) * T::STAGE);
            cuda::commit_copies();
        }
        if (works) {
#pragma unroll 1
            for (uint32_t i = 0; i < T::STEPS; ++i) {
                multiply_step<T>(sums, weights, stages + stage * T::STAGE, i, warp_column);
            }
        }
    }
    __syncthreads(); // results go where activations were
    if (works) {
        write_sums<T>(p, sums, reinterpret_cast<float*>(shared) + warp * T::RESULTS, first_output,
                      first_column + warp_column);
    }
}

template <class T>
__global__ void __launch_bounds__(T::THREADS, 512 / T::THREADS) two_four(KOFN_GRID_CONSTANT(Problem) p) {
    KOFN_DYNAMIC_SHARED(unsigned char, shared);
    if (p.bytes_of_copy == 16) {
        multiply_tile<T, 16>(p, shared);
    } else if constexpr (!T::Precision::IS_BF16) {
        multiply_tile<T, 4>(p, shared);
    } else if (p.bytes_of_copy == 8) {
        multiply_tile<T, 8>(p, shared);
    } else {
        multiply_tile<T, 2>(p, shared);
    }
}

}  // namespace kofn::two_four
