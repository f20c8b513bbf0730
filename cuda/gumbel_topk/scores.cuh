#pragma once

#include "../common/arithmetic.h"
#include "../common/philox.h"
#include "cuda_table.cuh"

/**
 * The scores y = φ + s·g of a group, and memory access by quadruples of candidates: four, because one call of Philox
 * gives four words, and sixteen bytes are the widest access.
 */
namespace kofn::cuda {

/** Four consecutive candidates. */
struct Quad {
    float of[4];
};

/** An unsigned integer that orders as the score does. 0 is below every finite score: the key of what does not exist. */
__device__ __forceinline__ uint32_t key_of(float score) {
    return static_cast<uint32_t>(order_key(score)) ^ 0x80000000u;
}

/** The score behind {@link key_of}. */
__device__ __forceinline__ float score_of(uint32_t key) {
    return order_value(static_cast<int32_t>(key ^ 0x80000000u));
}

/** Values `first` … `first + 3` of n; 0 where there is none. */
__device__ __forceinline__ Quad load_quad(const float* values, uint32_t first, uint32_t n, bool by_four) {
    if (by_four) {
        if (first < n) {
            float4 all = *reinterpret_cast<const float4*>(values + first);
            return {{all.x, all.y, all.z, all.w}};
        }
        return {{0.0f, 0.0f, 0.0f, 0.0f}};
    }
    Quad quad;
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
        quad.of[i] = first + i < n ? values[first + i] : 0.0f;
    }
    return quad;
}

__device__ __forceinline__ void store_quad(float* values, uint32_t first, uint32_t n, bool by_four, const Quad& quad) {
    if (by_four) {
        if (first < n) {
            *reinterpret_cast<float4*>(values + first) = make_float4(quad.of[0], quad.of[1], quad.of[2], quad.of[3]);
        }
        return;
    }
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
        if (first + i < n) {
            values[first + i] = quad.of[i];
        }
    }
}

/** The scores of one group. */
class Scores {
public:
    __device__ __forceinline__ Scores(const Layer& layer, const kofn_draw& draw, uint32_t group)
        : logits_(layer.logits + static_cast<int64_t>(group) * layer.candidates),
          draw_(draw),
          candidates_(layer.candidates),
          group_(group),
          layer_(layer.index),
          by_four_(layer.by_four) {}

    /** Those of candidates 4q … 4q + 3; what lies beyond the last candidate is to be ignored. */
    __device__ __forceinline__ Quad quad(uint32_t q) const {
        Quad y = load_quad(logits_, 4 * q, candidates_, by_four_);
        if (draw_.noise != 0.0f) {
            PhiloxWords words = philox(draw_.seed, q, group_, draw_.step, layer_);
            y.of[0] = perturbed(y.of[0], draw_.noise, gumbel(words.x));
            y.of[1] = perturbed(y.of[1], draw_.noise, gumbel(words.y));
            y.of[2] = perturbed(y.of[2], draw_.noise, gumbel(words.z));
            y.of[3] = perturbed(y.of[3], draw_.noise, gumbel(words.w));
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                y.of[i] = perturbed(y.of[i], 0.0f, 0.0f);
            }
        }
        return y;
    }

    /** That of one candidate. */
    __device__ __forceinline__ float one(uint32_t candidate) const {
        float g = 0.0f;
        if (draw_.noise != 0.0f) {
            PhiloxWords words = philox(draw_.seed, candidate / 4, group_, draw_.step, layer_);
            uint32_t low = candidate % 2 == 0 ? words.x : words.y;
            uint32_t high = candidate % 2 == 0 ? words.z : words.w;
            g = gumbel(candidate % 4 < 2 ? low : high);
        }
        return perturbed(logits_[candidate], draw_.noise, g);
    }

private:
    const float* logits_;
    const kofn_draw& draw_;
    uint32_t candidates_, group_, layer_;
    bool by_four_;
};

}  // namespace kofn::cuda
