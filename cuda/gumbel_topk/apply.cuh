#pragma once

#include "../common/arithmetic.h"
#include "team.cuh"

/** Masks that exist already: M ⊙ W and M ⊙ ∂L/∂Weff, weight by weight in the order of memory. */
namespace kofn::cuda {

constexpr uint32_t SWEPT = 8 * BLOCK;  // weights a block

/** An axis of a weight: how far a step along it is in the weight, and in the mask [G, n]. */
struct Axis {
    Divisor size;
    int64_t weight_stride, mask_stride;
};

/** One layer as a sweep sees it. */
struct Sweep {
    const float* latent;
    void* effective;
    const uint8_t* mask;
    const void* effective_gradient;
    float* latent_gradient;
    Axis axes[6];  // fastest first; neighbours that step alike are one
    uint32_t count, weights, first_block;
    bool bfloat16;
};

struct SweepTable {
    Sweep layers[LAYERS];
    uint32_t count;
    bool dense;
};
static_assert(sizeof(SweepTable) <= 32764, "larger than a kernel's parameters may be");

/** f(layer, place in the weight, place in the mask) for the weights of the calling thread. */
template <class F>
__device__ __forceinline__ void each_weight(const SweepTable& table, F f) {
    uint32_t number = 0;
    while (number + 1 < table.count && table.layers[number + 1].first_block <= blockIdx.x) {
        ++number;
    }
    const Sweep& layer = table.layers[number];
    const uint32_t first = (blockIdx.x - layer.first_block) * SWEPT + threadIdx.x;
#pragma unroll 4
    for (uint32_t i = first; i < first + SWEPT && i < layer.weights; i += BLOCK) {
        int64_t at = 0, mask = 0;
        uint32_t rest = i;
        for (uint32_t a = 0; a < layer.count; ++a) {
            const Axis& axis = layer.axes[a];
            uint32_t quotient = axis.size.divide(rest);
            uint32_t step = rest - quotient * axis.size.value;
            at += step * axis.weight_stride;
            mask += step * axis.mask_stride;
            rest = quotient;
        }
        f(layer, at, mask);
    }
}

/** effective = M ⊙ W. */
__global__ void __launch_bounds__(BLOCK) apply_masks(KOFN_GRID_CONSTANT(SweepTable) table) {
    each_weight(table, [](const Sweep& layer, int64_t at, int64_t mask) {
        float value = layer.mask[mask] != 0 ? layer.latent[at] : 0.0f;
        if (layer.bfloat16) {
            static_cast<uint16_t*>(layer.effective)[at] = to_bfloat16(value);
        } else {
            static_cast<float*>(layer.effective)[at] = value;
        }
    });
}

/** latent_gradient = M ⊙ ∂L/∂Weff, or all of it. */
__global__ void __launch_bounds__(BLOCK) apply_masks_backward(KOFN_GRID_CONSTANT(SweepTable) table) {
    const bool dense = table.dense;
    each_weight(table, [dense](const Sweep& layer, int64_t at, int64_t mask) {
        bool passes = dense || layer.mask[mask] != 0;
        float gradient = layer.bfloat16 ? from_bfloat16(static_cast<const uint16_t*>(layer.effective_gradient)[at])
                                        : static_cast<const float*>(layer.effective_gradient)[at];
        layer.latent_gradient[at] = passes ? gradient : 0.0f;
    });
}

}  // namespace kofn::cuda
