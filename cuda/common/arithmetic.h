#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "host_device.h"

/**
 * The single-precision arithmetic of sampling. Every function is a fixed sequence of IEEE 754 operations (+, −, ×,
 * fused multiply-add) and integer operations, so that a processor of any kind and a GPU return the same bits; the
 * library functions logf and expf would not. Compile with contraction off (-ffp-contract=off, nvcc -fmad=false): where
 * a fused operation is meant, fmaf is written.
 *
 * Polynomials: weighted minimax fits in extended precision whose coefficients were rounded to single precision one
 * after the other, each time fitting the rest anew. The errors below count polynomial and rounding, over all arguments
 * in use; arithmetic_test.cpp measures them.
 */
namespace kofn {

KOFN_HD uint32_t float_bits(float x) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(x);
#else
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
#endif
}

KOFN_HD float bits_float(uint32_t bits) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
#endif
}

/**
 * (r + ½)·2⁻³², correctly rounded; in [2⁻³³, 1]. Two halves of 16 bits, because a conversion of signed integers is one
 * instruction everywhere; the low part is exact, so there is one rounding.
 */
KOFN_HD float unit_interval(uint32_t r) {
    float high = static_cast<float>(static_cast<int32_t>(r >> 16));
    float low = static_cast<float>(static_cast<int32_t>(r & 0xFFFFu));
    return fmaf(high, 0x1p-16f, fmaf(low, 0x1p-32f, 0x1p-33f));
}

/** e·ln 2 + ln(1 + f) for f in [√½ − 1, √2 − 1] and whole e; for e = 0 accurate relative to ln(1 + f). */
KOFN_HD float log_of_parts(float e, float f) {
    float q = -0x1.38c9d4p-4f;
    q = fmaf(q, f, 0x1.055ec4p-3f);
    q = fmaf(q, f, -0x1.0d8242p-3f);
    q = fmaf(q, f, 0x1.22d92ep-3f);
    q = fmaf(q, f, -0x1.54728ap-3f);
    q = fmaf(q, f, 0x1.99a01cp-3f);
    q = fmaf(q, f, -0x1.000226p-2f);
    q = fmaf(q, f, 0x1.555554p-2f);
    float square = f * f;
    // ln 2 in two parts; the product of the first with any exponent is exact.
    float tail = fmaf(f * q, square, e * 0x1.7f7d1cp-20f);
    tail = fmaf(-0.5f, square, tail);
    return fmaf(e, 0x1.62e4p-1f, f + tail);
}

/** x = 2ᵉ·(1 + f) with 1 + f in [√½, √2); x positive and normal. */
KOFN_HD void split(float x, float& e, float& f) {
    const int32_t root_half = 0x3F3504F3;
    int32_t shifted = static_cast<int32_t>(float_bits(x)) - root_half;
    e = static_cast<float>(shifted >> 23);
    f = bits_float(static_cast<uint32_t>((shifted & 0x007FFFFF) + root_half)) - 1.0f;
}

/**
 * Standard Gumbel noise from a random word: v = (r + ½)·2⁻³², E = −ln(1 − v), g = −ln E. Winners have small E, and
 * there v has all its digits; where v nears 1 its complement, which the word gives exactly, is used. So g lies in
 * [−3.13, 22.9], is never infinite, and is within 4 units in the last place (of ½, where g is near 0).
 */
KOFN_HD float gumbel(uint32_t r) {
    bool direct = r < 0x4AFB0CCCu;  // v < 1 − √½: ln(1 − v) needs no exponent
    // The complement as an exclusive or: of ~r gcc makes an AVX-512 instruction that waits for the last loop's result.
    float t = unit_interval(r ^ (direct ? 0u : 0xFFFFFFFFu));
    float e, f;
    split(t, e, f);
    float exponential = -log_of_parts(direct ? 0.0f : e, direct ? -t : f);
    split(exponential, e, f);
    return -log_of_parts(e, f);
}

/** φ + s·g in two roundings, as LibTorch's operations do it; minus zero becomes zero, with which it ties. */
KOFN_HD float perturbed(float logit, float noise, float g) {
    return (logit + noise * g) + 0.0f;
}

/** A signed integer that orders as the float does (no NaN, no −0). */
KOFN_HD int32_t order_key(float x) {
    int32_t bits = static_cast<int32_t>(float_bits(x));
    return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}

/** The float behind {@link order_key}. */
KOFN_HD float order_value(int32_t key) {
    return bits_float(static_cast<uint32_t>(key ^ ((key >> 31) & 0x7FFFFFFF)));
}

/** Whether x is neither infinite nor NaN. */
KOFN_HD bool is_finite(float x) {
    return (float_bits(x) & 0x7F800000u) != 0x7F800000u;
}

/** eˣ for x ≤ 0, within 2 units in the last place; 0 below −87, where the result would leave the normal numbers. */
KOFN_HD float exp_nonpositive(float x) {
    float clamped = x > -87.0f ? x : -87.0f;
    float shifted = fmaf(clamped, 0x1.715476p+0f, 0x1.8p+23f);  // log₂ e; the magic number rounds to a whole
    float whole = shifted - 0x1.8p+23f;
    float r = fmaf(whole, -0x1.62e4p-1f, clamped);
    r = fmaf(whole, -0x1.7f7d1cp-20f, r);
    float q = 0x1.6a4f70p-10f;
    q = fmaf(q, r, 0x1.123986p-7f);
    q = fmaf(q, r, 0x1.5558aep-5f);
    q = fmaf(q, r, 0x1.555492p-3f);
    q = fmaf(q, r, 0x1.fffffcp-2f);
    float p = fmaf(r * r, q, r) + 1.0f;
    float scale = bits_float((float_bits(shifted) + 127u) << 23);
    return x > -87.0f ? p * scale : 0.0f;
}

/** The upper half of a float's bits, rounded to nearest even: bfloat16. Infinities and NaN stay what they are. */
KOFN_HD uint16_t to_bfloat16(float x) {
    uint32_t bits = float_bits(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
        return static_cast<uint16_t>((bits >> 16) | 0x40u);
    }
    return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

KOFN_HD float from_bfloat16(uint16_t x) {
    return bits_float(static_cast<uint32_t>(x) << 16);
}

}  // namespace kofn
