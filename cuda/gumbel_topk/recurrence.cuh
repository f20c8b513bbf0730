#pragma once

#include <cfloat>

#include "sample.cuh"
#include "sort.cuh"

/**
 * The recurrences of gumbel_topk.h over the winners in order, as scans. With N = D·X the suffix is D_t = 1 + a·D_{t+1},
 * N_t = a·N_{t+1} + a·(v_t − v_{t+1})·D_{t+1}: an affine step of the pair (D, N), of the same form as that of (C, U); so
 * both are one kind of scan.
 */
namespace kofn::cuda {

/** Working memory for the winners of a group. */
struct Winners {
    uint64_t* entries;  // a power of two
    float* v;           // [k]
    float* inverse;     // [k] 1/D_t
    float* scaled;      // [k] X_t/D_t
    float* last;        // C_k and U_k

    /** The power of two that holds k entries. */
    static KOFN_HD uint32_t padded(uint32_t kept) {
        uint32_t size = 1;
        while (size < kept) {
            size *= 2;
        }
        return size;
    }

    static KOFN_HD uint32_t bytes(uint32_t kept) { return (8 * padded(kept) + 12 * kept + 8 + 15) / 16 * 16; }

    static __device__ __forceinline__ Winners in(unsigned char* memory, uint32_t kept) {
        uint64_t* entries = reinterpret_cast<uint64_t*>(memory);
        float* floats = reinterpret_cast<float*>(entries + padded(kept));
        return {entries, floats, floats + kept, floats + 2 * kept, floats + 3 * kept};
    }
};

/**
 * (x, y) at positions 0 … count − 1, from those at 0 and the steps that lead to each other position; `visit(position, x,
 * y)` is called for each. Every thread composes the steps of positions in a row, a scan over threads says where it
 * starts, and it walks them again.
 */
template <class Real, class Team, class Step, class Visit>
__device__ __forceinline__ void recur(const Team& team, uint32_t count, Real x0, Real y0, Step step, Visit visit) {
    const uint32_t own = (count + Team::lanes - 1) / Team::lanes;
    const uint32_t begin = team.lane * own < count ? team.lane * own : count;
    const uint32_t end = begin + own < count ? begin + own : count;
    Affine<Real> steps = Affine<Real>::identity();
#pragma unroll 1
    for (uint32_t position = begin > 0 ? begin : 1; position < end; ++position) {
        steps = steps.then(step(position));
    }
    Real x = x0, y = y0;
    team.scan(steps, Affine<Real>::identity(), Compose()).apply(x, y);
#pragma unroll 1
    for (uint32_t position = begin; position < end; ++position) {
        if (position > 0) {
            step(position).apply(x, y);
        }
        visit(position, x, y);
    }
}

/**
 * exp((y − reference)/τ) for y ≤ reference. Rounding the exponent costs a relative error that grows with it (5·10⁻⁶ of the
 * gradient in a group whose exponents are near −45): what difference and quotient lose is put back to first order.
 */
struct Relaxation {
    float temperature, inverse;

    __device__ __forceinline__ float exponent(float y, float reference) const { return (y - reference) * inverse; }

    __device__ __forceinline__ float operator()(float y, float reference) const {
        float difference = y - reference;
        float subtracted = y - difference;
        float lost = (y - (difference + subtracted)) + (subtracted - reference);
        float x = difference * inverse;
        float rest = (fmaf(-x, temperature, difference) + lost) * inverse;
        float e = exp_nonpositive(x);
        return e > 0.0f ? fmaf(e, rest, e) : 0.0f;  // where e is 0 the rest may be anything
    }

    /** Between winners that follow each other: in the precision of the recurrences, which multiply all of them. */
    template <class Real>
    __device__ __forceinline__ Real step(float y, float reference) const {
        if constexpr (std::is_same_v<Real, float>) {
            return (*this)(y, reference);
        } else {
            return exp((static_cast<double>(y) - reference) / temperature);
        }
    }
};

}  // namespace kofn::cuda
