#pragma once

#include <cstring>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "../sparse_conv/cpu_bf16.h"
#include "cpu_variant.h"

/** What the loops are made of. Part of sparse_linear_cpu_variant.cpp. */
namespace kofn::linear::KOFN_VARIANT {

using conv::KOFN_VARIANT::all_lanes;
using conv::KOFN_VARIANT::Bf16;
using conv::KOFN_VARIANT::broadcast;
using conv::KOFN_VARIANT::load;
using conv::KOFN_VARIANT::load_lanes;
using conv::KOFN_VARIANT::store_lanes;
using conv::KOFN_VARIANT::Vector;
using conv::KOFN_VARIANT::VectorOf;

inline __attribute__((always_inline)) float single(const float* from) {
    return *from;
}

inline __attribute__((always_inline)) float single(const Bf16* from) {
    const uint32_t bits = static_cast<uint32_t>(from->bits) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

/** Four inputs, put together; with indices of 16 bits, one load fetches all four. */
inline __attribute__((always_inline)) Vector<4> pick(const float* x, const uint16_t* at) {
    uint64_t four;
    std::memcpy(&four, at, sizeof(four));
    return Vector<4>{x[four & 0xffff], x[four >> 16 & 0xffff], x[four >> 32 & 0xffff], x[four >> 48]};
}

inline __attribute__((always_inline)) Vector<4> pick(const float* x, const int32_t* at) {
    return Vector<4>{x[at[0]], x[at[1]], x[at[2]], x[at[3]]};
}

/** The inputs of a step of all outputs of a set. */
template <int Lanes, class Index>
inline __attribute__((always_inline)) Vector<Lanes> inputs(const float* x, const Index* at) {
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
        // Its unmasked form makes GCC 12 warn of its own header.
        return _mm512_maskz_insertf32x8(0xffff, _mm512_castps256_ps512(inputs<8>(x, at)), inputs<8>(x, at + 8), 1);
    }
#endif
#if defined(__AVX2__)
    if constexpr (Lanes == 8) {
        return _mm256_insertf128_ps(_mm256_castps128_ps256(pick(x, at)), pick(x, at + 4), 1);
    }
#endif
    if constexpr (Lanes == 4) {
        return pick(x, at);
    }
}

/** The transpose of four rows of four elements, as floats; rows lie so many elements apart. */
template <class Element>
inline __attribute__((always_inline)) void transpose4(const Element* from, int64_t from_row, float* to,
                                                      int64_t to_row) {
#if defined(__SSE__)
    __m128 a = load<4>(from), b = load<4>(from + from_row), c = load<4>(from + 2 * from_row),
           d = load<4>(from + 3 * from_row);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + to_row, b);
    _mm_storeu_ps(to + 2 * to_row, c);
    _mm_storeu_ps(to + 3 * to_row, d);
#else
    for (int row = 0; row < 4; ++row) {
        for (int column = 0; column < 4; ++column) {
            to[column * to_row + row] = single(from + row * from_row + column);
        }
    }
#endif
}

/**
 * Bias, residual and activation of a set of outputs of an image, stored as Element; `lanes` has a bit for each output
 * that exists.
 */
template <int Lanes, class Element>
inline __attribute__((always_inline)) void finish(const Task& task, int64_t set, int64_t image, uint32_t lanes,
                                                  Vector<Lanes> sum) {
    const int64_t at = image * task.outputs + set * Lanes;
    Vector<Lanes> y = sum + load<Lanes>(task.bias + set * Lanes);
    if (task.residual != nullptr) {
        y += load_lanes<Lanes>(static_cast<const Element*>(task.residual) + at, lanes);
    }
    if (task.activation != KOFN_IDENTITY) {
        y = y < 0.0f ? Vector<Lanes>{} : y;  // NaN stays NaN
        if (task.activation == KOFN_RELU6) {
            y = y > 6.0f ? broadcast<Lanes>(6.0f) : y;
        }
    }
    store_lanes<Lanes>(static_cast<Element*>(task.output) + at, y, lanes);
}

/** Which outputs of a set exist. */
template <int Lanes>
inline __attribute__((always_inline)) uint32_t lanes_of(const Task& task, int64_t set) {
    const int64_t left = task.outputs - set * Lanes;
    return left >= Lanes ? all_lanes<Lanes> : (1u << left) - 1;
}

}  // namespace kofn::linear::KOFN_VARIANT
