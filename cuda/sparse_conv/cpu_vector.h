#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/**
 * Vectors of floats of any width, on the compiler's vector types. Part of sparse_conv_cpu_variant.cpp.
 *
 * Products and sums are written a·b + c: this folder's variants are compiled with -ffp-contract=fast, which fuses them
 * where the processor can.
 */
namespace kofn::conv::KOFN_VARIANT {

/** Asks for a loop to be unrolled whole: sums that are to stay in registers must not be indexed at run time. */
#if defined(__clang__)
#define KOFN_UNROLL _Pragma("unroll")
#else
#define KOFN_UNROLL _Pragma("GCC unroll 64")
#endif

/** Vectors of this instruction set, in floats, and its registers. */
#if defined(__AVX512F__)
constexpr int widest = 16, narrowest = 8, registers = 32;
#elif defined(__AVX2__)
constexpr int widest = 8, narrowest = 8, registers = 16;
#elif defined(__aarch64__)
constexpr int widest = 4, narrowest = 4, registers = 32;
#else
constexpr int widest = 4, narrowest = 4, registers = 16;
#endif

template <int Lanes>
struct VectorOf {
    typedef float type __attribute__((vector_size(4 * Lanes)));
    typedef float unaligned __attribute__((vector_size(4 * Lanes), aligned(4), may_alias));
    typedef int32_t bits __attribute__((vector_size(4 * Lanes)));
};

template <int Lanes>
using Vector = typename VectorOf<Lanes>::type;

template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> load(const float* from) {
    return *reinterpret_cast<const typename VectorOf<Lanes>::unaligned*>(from);
}

/** A vector with x in all lanes. */
template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> broadcast(float x) {
    return x - Vector<Lanes>{};
}

/**
 * Whether vectors that begin a lane or two behind an aligned one are made of two aligned loads. A load of 64 bytes that
 * is not aligned always touches two cache lines, and takes their time twice: on Zen 5, rows_tile spent more on such
 * loads than on multiplications.
 */
template <int Lanes>
constexpr bool shifts = false;
#if defined(__AVX512F__)
template <>
constexpr bool shifts<16> = true;
#endif

/** The vector that begins `by` lanes behind `low`, where `high` follows `low`; by is 0, 1 or 2, and 0 without shifts. */
template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> shifted(Vector<Lanes> low, [[maybe_unused]] Vector<Lanes> high,
                                                            [[maybe_unused]] int by) {
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
        const __m512i l = _mm512_castps_si512(low), h = _mm512_castps_si512(high);
        return by == 0 ? low : _mm512_castsi512_ps(by == 1 ? _mm512_alignr_epi32(h, l, 1) : _mm512_alignr_epi32(h, l, 2));
    }
#endif
    return low;
}

/** A bit for each lane of a vector. */
template <int Lanes>
constexpr uint32_t all_lanes = (1u << Lanes) - 1;

#if defined(__AVX2__)
/** The mask of AVX2's masked loads and stores for a bit a lane. */
inline __attribute__((always_inline)) __m256i lane_mask(uint32_t bits) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane), lane);
}
#endif

/** Loads the lanes whose bits are set, the others are 0; no other memory is read. */
template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> load_lanes(const float* from, uint32_t bits) {
    if (bits == all_lanes<Lanes>) {
        return load<Lanes>(from);
    }
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), from);
    }
#endif
#if defined(__AVX2__)
    if constexpr (Lanes == 8) {
        return _mm256_maskload_ps(from, lane_mask(bits));
    }
#endif
    Vector<Lanes> value{};
    for (int l = 0; l < Lanes; ++l) {
        if ((bits >> l & 1) != 0) {
            value[l] = from[l];
        }
    }
    return value;
}

/** Stores the lanes whose bits are set; no other memory is written. */
template <int Lanes>
inline __attribute__((always_inline)) void store_lanes(float* to, Vector<Lanes> value, uint32_t bits) {
    if (bits == all_lanes<Lanes>) {
        *reinterpret_cast<typename VectorOf<Lanes>::unaligned*>(to) = value;
        return;
    }
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
        _mm512_mask_storeu_ps(to, static_cast<__mmask16>(bits), value);
        return;
    }
#endif
#if defined(__AVX2__)
    if constexpr (Lanes == 8) {
        _mm256_maskstore_ps(to, lane_mask(bits), value);
        return;
    }
#endif
    for (int l = 0; l < Lanes; ++l) {
        if ((bits >> l & 1) != 0) {
            to[l] = value[l];
        }
    }
}

/** Stores a vector past the caches if it is a whole cache line, where the processor can; `to` is aligned. */
template <int Lanes>
inline __attribute__((always_inline)) void stream(float* to, Vector<Lanes> value) {
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
        _mm512_stream_ps(to, value);
        return;
    }
#endif
    *reinterpret_cast<typename VectorOf<Lanes>::unaligned*>(to) = value;
}

}  // namespace kofn::conv::KOFN_VARIANT
