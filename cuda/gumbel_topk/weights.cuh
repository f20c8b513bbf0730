#pragma once

#include "../common/arithmetic.h"
#include "team.cuh"

/**
 * What the kernels do with the weights behind a group's candidates: mask them, and reduce ∂L/∂Weff·W over the elements
 * of a candidate. Threads follow each other in the order of memory, whatever the layout.
 */
namespace kofn::cuda {

/** Whether a candidate is kept, from the words that sampling wrote. */
__device__ __forceinline__ bool is_kept(const uint32_t* bits, uint32_t candidate) {
    return (bits[candidate / 32] >> (candidate % 32) & 1u) != 0;
}

/** The words of a group. */
__device__ __forceinline__ const uint32_t* bits_of(const Layer& layer, uint32_t group) {
    return layer.bits + static_cast<int64_t>(group) * layer.words;
}

__device__ __forceinline__ void store_effective(const Layer& layer, int64_t at, float value) {
    if (layer.bfloat16) {
        static_cast<uint16_t*>(layer.effective)[at] = to_bfloat16(value);
    } else {
        static_cast<float*>(layer.effective)[at] = value;
    }
}

__device__ __forceinline__ float load_effective_gradient(const Layer& layer, int64_t at) {
    return layer.bfloat16 ? from_bfloat16(static_cast<const uint16_t*>(layer.effective_gradient)[at])
                          : static_cast<const float*>(layer.effective_gradient)[at];
}

/** Effective weights of `run` weights that lie side by side from `row`, four at a time; row and run are multiples. */
__device__ __forceinline__ void write_effective_by_four(const Layer& layer, const uint32_t* bits, int64_t row,
                                                        uint32_t run, uint32_t lane, uint32_t lanes) {
    const float* __restrict__ latent = layer.latent + row;
    for (uint32_t first = 4 * lane; first < run; first += 4 * lanes) {
        uint32_t candidate = layer.inner.divide(first);
        uint32_t element = first - candidate * layer.inner.value;
        bool kept[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            kept[i] = is_kept(bits, candidate);
            bool last = ++element == layer.inner.value;
            candidate += last ? 1u : 0u;
            element = last ? 0u : element;
        }
        // What is dropped is not read: at low density that spares most of the traffic.
        float4 w = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (kept[0] || kept[1] || kept[2] || kept[3]) {
            w = *reinterpret_cast<const float4*>(latent + first);
        }
        w = make_float4(kept[0] ? w.x : 0.0f, kept[1] ? w.y : 0.0f, kept[2] ? w.z : 0.0f, kept[3] ? w.w : 0.0f);
        if (layer.bfloat16) {
            *reinterpret_cast<ushort4*>(static_cast<uint16_t*>(layer.effective) + row + first) =
                make_ushort4(to_bfloat16(w.x), to_bfloat16(w.y), to_bfloat16(w.z), to_bfloat16(w.w));
        } else {
            *reinterpret_cast<float4*>(static_cast<float*>(layer.effective) + row + first) = w;
        }
    }
}

/** The effective weights of one group, from its bits. */
__device__ __forceinline__ void write_effective(const Layer& layer, uint32_t group, uint32_t lane, uint32_t lanes) {
    const uint32_t* bits = bits_of(layer, group);
    const int64_t base = layer.base(group);
    const uint32_t run = layer.candidates * layer.inner.value;
    for (uint32_t outer = 0; outer < layer.outer; ++outer) {
        int64_t row = base + static_cast<int64_t>(outer) * layer.outer_stride;
        if (layer.weights_by_four && row % 4 == 0) {
            write_effective_by_four(layer, bits, row, run, lane, lanes);
            continue;
        }
#pragma unroll 4
        for (uint32_t i = lane; i < run; i += lanes) {
            uint32_t candidate = layer.inner.divide(i);
            uint32_t element = i - candidate * layer.inner.value;
            int64_t at = row + (candidate * layer.candidate_stride + element * layer.inner_stride);
            store_effective(layer, at, is_kept(bits, candidate) ? layer.latent[at] : 0.0f);
        }
    }
}

/** ∂L/∂Weff·W of one weight; also writes its ∂L/∂W if that is wanted. */
template <class Real>
__device__ __forceinline__ Real upstream(const Layer& layer, int64_t at, bool passes) {
    float gradient = load_effective_gradient(layer, at);
    if (layer.latent_gradient != nullptr) {
        layer.latent_gradient[at] = passes ? gradient : 0.0f;
    }
    return static_cast<Real>(gradient) * layer.latent[at];
}

/** v of one candidate by one thread. */
template <class Real>
__device__ __forceinline__ Real upstream_of_candidate(const Layer& layer, int64_t base, uint32_t candidate,
                                                       bool passes) {
    Real v = 0;
    for (uint32_t outer = 0; outer < layer.outer; ++outer) {
        int64_t row = base + static_cast<int64_t>(outer) * layer.outer_stride + candidate * layer.candidate_stride;
        for (uint32_t element = 0; element < layer.inner.value; ++element) {
            v += upstream<Real>(layer, row + element * layer.inner_stride, passes);
        }
    }
    return v;
}

/**
 * v of a group, by whole warps, where a candidate's elements lie side by side: a thread that read those of its own
 * candidate would take one word of every sector, so the warp reads in order of memory and hands the products over in
 * shared memory (`staged`, of this warp alone).
 */
__device__ __forceinline__ void reduce_upstream_staged(const Layer& layer, uint32_t group, uint32_t warp,
                                                       uint32_t warps, bool dense, float* staged, float* v) {
    const Tile<WARP> tile;
    const uint32_t* bits = bits_of(layer, group);
    const int64_t base = layer.base(group);
    const uint32_t elements = layer.inner.value;
    const uint32_t fit = STAGED / elements;
    const uint32_t at_once = fit < WARP ? fit : WARP;
    for (uint32_t first = warp * at_once; first < layer.candidates; first += warps * at_once) {
        uint32_t rest = layer.candidates - first;
        uint32_t count = rest < at_once ? rest : at_once;
        float sum = 0.0f;
        for (uint32_t outer = 0; outer < layer.outer; ++outer) {
            int64_t row = base + static_cast<int64_t>(outer) * layer.outer_stride + first * elements;
#pragma unroll 4
            for (uint32_t i = tile.lane; i < count * elements; i += WARP) {
                bool passes = dense || is_kept(bits, first + layer.inner.divide(i));
                staged[i] = upstream<float>(layer, row + i, passes);
            }
            tile.sync();
            if (tile.lane < count) {
                for (uint32_t element = 0; element < elements; ++element) {
                    sum += staged[tile.lane * elements + element];
                }
            }
            tile.sync();
        }
        if (tile.lane < count) {
            v[first + tile.lane] = sum;
        }
    }
}

/** Whether {@link reduce_upstream_staged} is for this layer. */
KOFN_HD bool stages(const Layer& layer) {
    return layer.lanes >= WARP && layer.contiguous && layer.inner.value > 1 && !layer.wide;
}

/** v of a group, into `v`; also writes ∂L/∂W if that is wanted. */
__device__ __forceinline__ void reduce_upstream(const Layer& layer, uint32_t group, uint32_t lane, bool dense,
                                                float* staged, float* v) {
    if (stages(layer)) {
        reduce_upstream_staged(layer, group, lane / WARP, layer.lanes / WARP, dense,
                               staged + threadIdx.x / WARP * STAGED, v);
        return;
    }
    const uint32_t* bits = bits_of(layer, group);
    const int64_t base = layer.base(group);
#pragma unroll 4
    for (uint32_t candidate = lane; candidate < layer.candidates; candidate += layer.lanes) {
        v[candidate] = upstream_of_candidate<float>(layer, base, candidate, dense || is_kept(bits, candidate));
    }
}

}  // namespace kofn::cuda
