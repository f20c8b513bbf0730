#pragma once

#include "../emulation/cuda_or_emulation.h"
#include "cuda_problem.cuh"

/** Few images: a warp is a neuron, and its lanes share what is kept. */
namespace kofn::linear {

/** Lists: a lane takes four places at a time, and fetches what lies there of all images at once. */
template <class Element, uint32_t IMAGES>
__device__ __forceinline__ void add_list(const Problem& p, const Run<Element>& run, const float* x,
                                         float (&sums)[IMAGES]) {
#pragma unroll 4
    for (uint32_t i = run.begin + threadIdx.x % 32 * 4; i < run.end; i += 128) {
        const auto weights = *reinterpret_cast<const Four<Element>*>(run.weights + (i - run.begin));
        const auto places = *reinterpret_cast<const Four<uint16_t>*>(p.places + i);
#pragma unroll
        for (uint32_t e = 0; e < 4; ++e) {
            const auto numbers = *reinterpret_cast<const Images<IMAGES>*>(x + places.each[e]);
            const float weight = number(weights.each[e]);
#pragma unroll
            for (uint32_t m = 0; m < IMAGES; ++m) {
                sums[m] = fmaf(weight, numbers.each[m], sums[m]);
            }
        }
    }
}

/**
 * Bitmaps: a lane has four neighbouring inputs of 128, and its weights come after those of the lanes before. What is not
 * kept is not multiplied, for it may not be finite.
 */
template <class Element, uint32_t IMAGES>
__device__ __forceinline__ void add_bitmap(const Problem& p, const Run<Element>& run, const uint32_t* bitmap,
                                           uint32_t inputs, const float* x, float (&sums)[IMAGES]) {
    const uint32_t lane = threadIdx.x % 32, word = lane / 8, bit = lane % 8 * 4;
    const Element* weights = run.weights;
#pragma unroll 2
    for (uint32_t first = 0; first < inputs; first += 128) {
        const auto words = *reinterpret_cast<const Four<uint32_t>*>(bitmap + first / 32);
        uint32_t before = 0, kept = 0, mine = 0;
#pragma unroll
        for (uint32_t w = 0; w < 4; ++w) {
            mine = w == word ? words.each[w] : mine;
            before = w == word ? kept : before;
            kept += static_cast<uint32_t>(__popc(words.each[w]));
        }
        before += static_cast<uint32_t>(__popc(mine & ((1u << bit) - 1)));
        const uint32_t bits = mine >> bit & 15;
        Four<float> numbers[IMAGES];
#pragma unroll
        for (uint32_t m = 0; m < IMAGES; ++m) {
            numbers[m] = *reinterpret_cast<const Four<float>*>(x + m * p.segment + first + lane * 4);
        }
#pragma unroll
        for (uint32_t e = 0; e < 4; ++e) {
            if ((bits >> e & 1) != 0) {
                const uint32_t at = before + static_cast<uint32_t>(__popc(bits & ((1u << e) - 1)));
                const float weight = number(weights[at]);
#pragma unroll
                for (uint32_t m = 0; m < IMAGES; ++m) {
                    sums[m] = fmaf(weight, numbers[m].each[e], sums[m]);
                }
            }
        }
        weights += kept;
    }
}

/** Writes a segment of x: for lists [inputs + 1][IMAGES], the last row zeros; for bitmaps [IMAGES][inputs]. */
template <class Element, uint32_t IMAGES, bool BITMAPS>
__device__ __forceinline__ void stage_few(const Problem& p, uint32_t first, float* x) {
    for (uint32_t i = threadIdx.x; i < p.segment; i += blockDim.x) {
#pragma unroll
        for (uint32_t m = 0; m < IMAGES; ++m) {
            x[BITMAPS ? m * p.segment + i : i * IMAGES + m] = input_of<Element>(p, m, first + i);
        }
    }
    if (!BITMAPS && threadIdx.x < IMAGES) {
        x[p.segment * IMAGES + threadIdx.x] = 0.0f;
    }
}

/** Adds what the lanes have, each pair in either order the same, and writes an image a lane. */
template <class Element, uint32_t IMAGES>
__device__ __forceinline__ void finish_few(const Problem& p, uint32_t neuron, const float (&sums)[IMAGES]) {
    const uint32_t lane = threadIdx.x % 32;
    float mine = 0.0f;
#pragma unroll
    for (uint32_t m = 0; m < IMAGES; ++m) {
        float sum = sums[m];
#pragma unroll
        for (int flip = 16; flip > 0; flip /= 2) {
            sum += __shfl_xor_sync(0xFFFFFFFFu, sum, flip);
        }
        mine = m == lane ? sum : mine;
    }
    if (lane < IMAGES && lane < p.batch) {
        finish<Element>(p, lane, neuron, mine);
    }
}

/** Blocks go on to further neurons; where x is one segment, it stays. */
template <class Element, uint32_t IMAGES, bool BITMAPS>
__global__ void __launch_bounds__(32 * MOST_WARPS, 2) few_images(KOFN_GRID_CONSTANT(Problem) p) {
    KOFN_DYNAMIC_SHARED(float, x);
    const uint32_t warps = blockDim.x / 32;
    for (uint32_t first = blockIdx.x * warps; first < p.outputs; first += gridDim.x * warps) {
        const uint32_t neuron = first + threadIdx.x / 32;
        float sums[IMAGES] = {};
        for (uint32_t s = 0; s < p.segments; ++s) {
            if (p.segments > 1 || first == blockIdx.x * warps) {
                __syncthreads();
                stage_few<Element, IMAGES, BITMAPS>(p, s * p.segment, x);
                __syncthreads();
            }
            if (neuron < p.outputs) {
                const Run<Element> run(p, neuron, s);
                if constexpr (BITMAPS) {
                    const uint32_t segment = neuron / p.share * p.segments + s, rest = p.inputs - s * p.segment;
                    add_bitmap<Element, IMAGES>(p, run, p.bitmaps + segment * (p.segment / 32),
                                                rest < p.segment ? rest : p.segment, x, sums);
                } else {
                    add_list<Element, IMAGES>(p, run, x, sums);
                }
            }
        }
        if (neuron < p.outputs) {
            finish_few<Element, IMAGES>(p, neuron, sums);
        }
    }
}

}  // namespace kofn::linear
