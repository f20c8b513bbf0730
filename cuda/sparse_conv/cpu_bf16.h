#pragma once

#include <cstring>

#include "cpu_vector.h"

/** Vectors of floats that are stored in bf16: the upper half of each. Part of the CPU's variants. */
namespace kofn::conv::KOFN_VARIANT {

/** An element in bf16. */
struct Bf16 {
    uint16_t bits;
};

/** Vectors of them, and of the bits of the floats that they become. */
template <int Lanes>
struct BitsOf {
    typedef uint16_t halves __attribute__((vector_size(2 * Lanes)));
    typedef uint32_t wholes __attribute__((vector_size(4 * Lanes)));
};

template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> widened(typename BitsOf<Lanes>::halves bits) {
    return reinterpret_cast<Vector<Lanes>>(__builtin_convertvector(bits, typename BitsOf<Lanes>::wholes) << 16);
}

/** To nearest, ties to even; NaN stays NaN. */
template <int Lanes>
inline __attribute__((always_inline)) typename BitsOf<Lanes>::halves rounded(Vector<Lanes> x) {
    using Wholes = typename BitsOf<Lanes>::wholes;
    const Wholes bits = reinterpret_cast<Wholes>(x);
    const Wholes nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return __builtin_convertvector(x == x ? nearest : quiet, typename BitsOf<Lanes>::halves);
}

template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> load(const Bf16* from) {
    typename BitsOf<Lanes>::halves bits;
    std::memcpy(&bits, from, sizeof(bits));
    return widened<Lanes>(bits);
}

/** As for floats: the lanes whose bits are set, no other memory. */
template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> load_lanes(const Bf16* from, uint32_t lanes) {
    typename BitsOf<Lanes>::halves bits{};
    if (lanes == all_lanes<Lanes>) {
        return load<Lanes>(from);
    }
    for (int l = 0; l < Lanes; ++l) {
        if ((lanes >> l & 1) != 0) {
            bits[l] = from[l].bits;
        }
    }
    return widened<Lanes>(bits);
}

template <int Lanes>
inline __attribute__((always_inline)) void store_lanes(Bf16* to, Vector<Lanes> value, uint32_t lanes) {
    const typename BitsOf<Lanes>::halves bits = rounded<Lanes>(value);
    if (lanes == all_lanes<Lanes>) {
        std::memcpy(to, &bits, sizeof(bits));
        return;
    }
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    if constexpr (Lanes == 16) {
        _mm256_mask_storeu_epi16(to, static_cast<__mmask16>(lanes), reinterpret_cast<__m256i>(bits));
        return;
    }
#endif
    for (int l = 0; l < Lanes; ++l) {
        if ((lanes >> l & 1) != 0) {
            to[l].bits = bits[l];
        }
    }
}

}  // namespace kofn::conv::KOFN_VARIANT
