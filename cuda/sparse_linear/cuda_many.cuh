#pragma once

#include "../emulation/cuda_or_emulation.h"
#include "cuda_problem.cuh"

/** Many images: they are the lanes of a warp, or of a part of one, and weights are broadcast. */
namespace kofn::linear {

/** Floats from input to input in shared memory: an odd number, so that columns are written without conflicts. */
KOFN_HD constexpr uint32_t pitch_of(uint32_t images) {
    return images + 1;
}

constexpr uint32_t NEURONS_OF_WARP = 4; // whatever the number of images

template <class Element, uint32_t IMAGES>
__device__ __forceinline__ void stage_many(const Problem& p, uint32_t first_image, uint32_t first, float* x) {
    constexpr uint32_t PITCH = pitch_of(IMAGES);
    for (uint32_t m = threadIdx.x / 32; m < IMAGES; m += blockDim.x / 32) {
        for (uint32_t i = threadIdx.x % 32; i < p.segment; i += 32) {
            x[i * PITCH + m] = input_of<Element>(p, first_image + m, first + i);
        }
    }
    if (threadIdx.x < IMAGES) {
        x[p.segment * PITCH + threadIdx.x] = 0.0f;
    }
}

/** A block: all warps' neurons for IMAGES images. */
template <class Element, uint32_t IMAGES>
__global__ void __launch_bounds__(32 * MOST_WARPS, 2) many_images(KOFN_GRID_CONSTANT(Problem) p) {
    KOFN_DYNAMIC_SHARED(float, x);
    constexpr uint32_t AT_ONCE = 32 / IMAGES, IN_TURN = NEURONS_OF_WARP / AT_ONCE;
    const uint32_t of_block = blockDim.x / 32 * NEURONS_OF_WARP, blocks = (p.outputs + of_block - 1) / of_block;
    const uint32_t lane = threadIdx.x % 32, image = lane % IMAGES, first_image = blockIdx.x / blocks * IMAGES;
    const uint32_t first = blockIdx.x % blocks * of_block + threadIdx.x / 32 * NEURONS_OF_WARP + lane / IMAGES;
    float sums[IN_TURN] = {};
    for (uint32_t s = 0; s < p.segments; ++s) {
        __syncthreads();
        stage_many<Element, IMAGES>(p, first_image, s * p.segment, x);
        __syncthreads();
#pragma unroll
        for (uint32_t turn = 0; turn < IN_TURN; ++turn) {
            const uint32_t neuron = first + turn * AT_ONCE;
            if (neuron < p.outputs) {
                const Run<Element> run(p, neuron, s);
#pragma unroll 2
                for (uint32_t i = run.begin; i < run.end; i += 4) {
                    const auto weights = *reinterpret_cast<const Four<Element>*>(run.weights + (i - run.begin));
                    const auto places = *reinterpret_cast<const Four<uint16_t>*>(p.places + i);
#pragma unroll
                    for (uint32_t e = 0; e < 4; ++e) {
                        sums[turn] = fmaf(number(weights.each[e]), x[places.each[e] + image], sums[turn]);
                    }
                }
            }
        }
    }
#pragma unroll
    for (uint32_t turn = 0; turn < IN_TURN; ++turn) {
        const uint32_t neuron = first + turn * AT_ONCE;
        if (neuron < p.outputs && first_image + image < p.batch) {
            finish<Element>(p, first_image + image, neuron, sums[turn]);
        }
    }
}

}  // namespace kofn::linear
