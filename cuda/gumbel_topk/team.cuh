#pragma once

#include <cstdint>

#include "../emulation/cuda_or_emulation.h"
#include "cuda_table.cuh"

/**
 * Teams: the threads that work on one group together, part of a warp (Tile) or a whole block (Block). Both have the same
 * operations, so that algorithms are written once. All threads of a team call them; all orders of operations are fixed.
 */
namespace kofn::cuda {

__device__ __forceinline__ float fused(float a, float b, float c) {
    return fmaf(a, b, c);
}
__device__ __forceinline__ double fused(double a, double b, double c) {
    return fma(a, b, c);
}

/**
 * (x, y) ↦ (a·x + b, a·y + p·x + q): one step of the recurrences of the backward, and what several in a row compose to.
 */
template <class Real>
struct Affine {
    Real a, b, p, q;

    static __device__ __forceinline__ Affine identity() { return {Real(1), Real(0), Real(0), Real(0)}; }

    /** This step, then another. */
    __device__ __forceinline__ Affine then(const Affine& next) const {
        return {next.a * a, fused(next.a, b, next.b), fused(next.a, p, next.p * a),
                fused(next.a, q, fused(next.p, b, next.q))};
    }

    /** Takes the step. */
    __device__ __forceinline__ void apply(Real& x, Real& y) const {
        y = fused(a, y, fused(p, x, q));
        x = fused(a, x, b);
    }
};

template <class T>
__device__ __forceinline__ T from_lane_below(unsigned mask, T x, unsigned delta, int width) {
    return __shfl_up_sync(mask, x, delta, width);
}

template <class Real>
__device__ __forceinline__ Affine<Real> from_lane_below(unsigned mask, const Affine<Real>& x, unsigned delta, int width) {
    return {__shfl_up_sync(mask, x.a, delta, width), __shfl_up_sync(mask, x.b, delta, width),
            __shfl_up_sync(mask, x.p, delta, width), __shfl_up_sync(mask, x.q, delta, width)};
}

struct Sum {
    template <class T>
    __device__ __forceinline__ T operator()(T a, T b) const {
        return a + b;
    }
};

struct Largest {
    __device__ __forceinline__ float operator()(float a, float b) const { return a > b ? a : b; }
};

struct Compose {
    template <class Real>
    __device__ __forceinline__ Affine<Real> operator()(const Affine<Real>& a, const Affine<Real>& b) const {
        return a.then(b);
    }
};

/** Lanes that follow each other in a warp. Tiles of one warp may do different things at the same time. */
template <unsigned LANES>
class Tile {
public:
    static constexpr unsigned lanes = LANES;
    const unsigned lane = threadIdx.x % LANES;

    __device__ __forceinline__ void sync() const {
        if constexpr (LANES > 1) {
            __syncwarp(mask_);
        }
    }

    __device__ __forceinline__ uint32_t sum(uint32_t x) const {
        if constexpr (LANES == WARP) {
            return __reduce_add_sync(mask_, x);  // one instruction from sm_80 on
        } else {
            return reduce(x, Sum());
        }
    }
    __device__ __forceinline__ float sum(float x) const { return reduce(x, Sum()); }
    __device__ __forceinline__ double sum(double x) const { return reduce(x, Sum()); }
    __device__ __forceinline__ float largest(float x) const { return reduce(x, Largest()); }

    /** `combine` over the lanes before this one. */
    template <class T, class Combine>
    __device__ __forceinline__ T scan(const T& x, const T& identity, Combine combine) const {
        if constexpr (LANES == 1) {
            return identity;
        } else {
            T before = from_lane_below(mask_, inclusive(x, combine), 1, LANES);
            return lane == 0 ? identity : before;
        }
    }

    /** The sum over the lanes before this one, and in `all` that over all lanes. */
    template <class T>
    __device__ __forceinline__ T sum_before(T x, T& all) const {
        T up_to_here = inclusive(x, Sum());
        if constexpr (LANES == 1) {
            all = x;
        } else {
            all = __shfl_sync(mask_, up_to_here, LANES - 1, LANES);
        }
        return up_to_here - x;
    }

    /** x of every lane in turn. */
    __device__ __forceinline__ uint32_t of_lane(uint32_t x, unsigned other) const {
        if constexpr (LANES == 1) {
            return x;
        } else {
            return __shfl_sync(mask_, x, static_cast<int>(other), LANES);
        }
    }

    /** Four bits a lane, joined over eight lanes (or all, if there are fewer) to the word that all of them receive. */
    __device__ __forceinline__ uint32_t word_of(uint32_t nibble) const {
        uint32_t word = nibble << (lane % 8 * 4);
#pragma unroll
        for (unsigned flip = 1; flip < LANES && flip < 8; flip *= 2) {
            word |= __shfl_xor_sync(mask_, word, static_cast<int>(flip), LANES);
        }
        return word;
    }

    /** `combine` over the lanes up to this one. */
    template <class T, class Combine>
    __device__ __forceinline__ T inclusive(T x, Combine combine) const {
#pragma unroll
        for (unsigned delta = 1; delta < LANES; delta *= 2) {
            T before = from_lane_below(mask_, x, delta, LANES);
            x = lane >= delta ? combine(before, x) : x;
        }
        return x;
    }

    /** `combine`, which must not mind the order of its two arguments, over all lanes. */
    template <class T, class Combine>
    __device__ __forceinline__ T reduce(T x, Combine combine) const {
#pragma unroll
        for (unsigned flip = 1; flip < LANES; flip *= 2) {
            x = combine(x, __shfl_xor_sync(mask_, x, static_cast<int>(flip), LANES));
        }
        return x;
    }

private:
    const unsigned mask_ = LANES == WARP ? ~0u
                                         : ((1u << LANES % WARP) - 1u) << (threadIdx.x % WARP / LANES * LANES);
};

/** What the warps of a block tell each other. */
struct alignas(16) BlockScratch {
    unsigned char of_warp[BLOCK / WARP][sizeof(Affine<double>)];
};

/** All threads of a block. */
class Block {
public:
    static constexpr unsigned lanes = BLOCK;
    const unsigned lane = threadIdx.x;

    __device__ __forceinline__ explicit Block(BlockScratch& scratch) : scratch_(scratch) {}

    __device__ __forceinline__ void sync() const { __syncthreads(); }
    __device__ __forceinline__ uint32_t sum(uint32_t x) const { return reduce(x, Sum()); }
    __device__ __forceinline__ float sum(float x) const { return reduce(x, Sum()); }
    __device__ __forceinline__ double sum(double x) const { return reduce(x, Sum()); }
    __device__ __forceinline__ float largest(float x) const { return reduce(x, Largest()); }

    template <class T, class Combine>
    __device__ __forceinline__ T scan(const T& x, const T& identity, Combine combine) const {
        T before = warp_.scan(x, identity, combine);
        tell(WARP - 1, combine(before, x));
        T warps_before = identity;
        for (unsigned warp = 0; warp < lane / WARP; ++warp) {
            warps_before = combine(warps_before, of_warp<T>(warp));
        }
        return combine(warps_before, before);
    }

    template <class T>
    __device__ __forceinline__ T sum_before(T x, T& all) const {
        T before = scan(x, T{0}, Sum());
        all = total<T>(Sum());
        return before;
    }

    __device__ __forceinline__ uint32_t word_of(uint32_t nibble) const { return warp_.word_of(nibble); }

private:
    template <class T>
    __device__ __forceinline__ T& of_warp(unsigned warp) const {
        return *reinterpret_cast<T*>(scratch_.of_warp[warp]);
    }

    /** One lane of every warp tells the block something. */
    template <class T>
    __device__ __forceinline__ void tell(unsigned speaker, const T& x) const {
        __syncthreads();  // what was told before may still be read
        if (warp_.lane == speaker) {
            of_warp<T>(lane / WARP) = x;
        }
        __syncthreads();
    }

    /** `combine` over what the warps told. */
    template <class T, class Combine>
    __device__ __forceinline__ T total(Combine combine) const {
        T all = of_warp<T>(0);
#pragma unroll
        for (unsigned warp = 1; warp < BLOCK / WARP; ++warp) {
            all = combine(all, of_warp<T>(warp));
        }
        return all;
    }

    template <class T, class Combine>
    __device__ __forceinline__ T reduce(T x, Combine combine) const {
        tell(0, warp_.reduce(x, combine));
        return total<T>(combine);
    }

    Tile<WARP> warp_;
    BlockScratch& scratch_;
};

}  // namespace kofn::cuda
