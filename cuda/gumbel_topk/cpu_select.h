#pragma once

#include "../common/arithmetic.h"
#include "cpu_lanes.h"

/** The k largest of a group. Part of gumbel_topk_cpu_variant.cpp. */
namespace kofn::cpu::KOFN_VARIANT {

/** How many keys are at least this large. */
inline int64_t count_at_least(const int32_t* keys, int64_t n, int32_t threshold) {
    int32_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
        count += keys[i] >= threshold ? 1 : 0;
    }
    return count;
}

/** log₂ x to about 0.1, for positive x. */
inline float rough_log2(float x) {
    return static_cast<float>(static_cast<int32_t>(float_bits(x))) * 0x1p-23f - 127.0f;
}

/** The largest key that at least k keys reach, and how many do: more than k if keys are equal. */
struct Threshold {
    int32_t key;
    int64_t reached;
};

/**
 * Finds the threshold of the k largest by counting: `low` is reached by at least k keys, `high` by fewer, and a guess
 * between them moves one of the two. The upper tail of scores with Gumbel noise is exponential, so the logarithm of the
 * count is nearly linear in the score, and interpolating it needs far fewer counts than halving; every third guess
 * halves the keys, so that no distribution takes more than 3·32. Any key between the k-th and the next will do: which
 * one is found does not change the mask.
 */
inline Threshold threshold_of_largest(const int32_t* keys, int64_t n, int64_t k, int32_t smallest, int32_t largest) {
    int64_t low = smallest, high = static_cast<int64_t>(largest) + 1;
    int64_t reach_low = n, reach_high = 0;
    for (int guess = 1; reach_low != k && high - low > 1; ++guess) {
        int64_t middle = (low + high) / 2;
        if (guess % 3 != 0) {
            const float at_low = order_value(static_cast<int32_t>(low));
            const float at_high = order_value(static_cast<int32_t>(high));
            const float log_low = rough_log2(static_cast<float>(reach_low));
            const float log_high = rough_log2(static_cast<float>(reach_high) + 0.5f);
            const float share = (log_low - rough_log2(static_cast<float>(k))) / (log_low - log_high);
            const float value = at_low * (1.0f - share) + at_high * share;
            const int64_t key = order_key(value + 0.0f);
            middle = key <= low ? low + 1 : key >= high ? high - 1 : key;
        }
        const int64_t reached = count_at_least(keys, n, static_cast<int32_t>(middle));
        if (reached >= k) {
            low = middle;
            reach_low = reached;
        } else {
            high = middle;
            reach_high = reached;
        }
    }
    return {static_cast<int32_t>(low), reach_low};
}

/** Thirty-two bytes of 0 or 1 as bits. */
inline uint32_t pack_bits(const uint8_t* mask) {
    uint32_t word = 0;
    for (int part = 0; part < 4; ++part) {
        uint64_t bytes;
        std::memcpy(&bytes, mask + 8 * part, sizeof bytes);
        // Byte i, bit 0, moves to bit 56 + i; no two products meet, so nothing carries.
        word |= static_cast<uint32_t>((bytes * 0x0102040810204080u) >> 56) << (8 * part);
    }
    return word;
}

/** The places of the bits, ascending; returns where the next would go. */
inline int32_t* unpack_indices(uint32_t word, int32_t first, int32_t* indices) {
    for (; word != 0; word &= word - 1) {
        *indices++ = first + __builtin_ctz(word);
    }
    return indices;
}

/** Bits and indices of a group, from its mask. */
inline void describe_mask(const uint8_t* mask, int64_t n, uint32_t* bits, int32_t* indices) {
    int64_t c = 0;
    for (; c + 32 <= n; c += 32) {
        const uint32_t word = pack_bits(mask + c);
        *bits++ = word;
        indices = unpack_indices(word, static_cast<int32_t>(c), indices);
    }
    if (c < n) {
        uint8_t rest[32] = {};
        std::memcpy(rest, mask + c, static_cast<size_t>(n - c));
        *bits = pack_bits(rest);
        unpack_indices(*bits, static_cast<int32_t>(c), indices);
    }
}

/** Masks the k largest keys of a group, ties to the lowest candidate; false if a score was infinite or NaN. */
inline bool mask_largest(const int32_t* keys, int64_t n, int64_t k, uint8_t* mask) {
    int32_t smallest = keys[0], largest = keys[0];
    for (int64_t i = 0; i < n; ++i) {
        smallest = keys[i] < smallest ? keys[i] : smallest;
        largest = keys[i] > largest ? keys[i] : largest;
    }
    // Infinities and NaN lie beyond every number, on the side of their sign.
    if (smallest <= order_key(-__builtin_inff()) || largest >= order_key(__builtin_inff())) {
        return false;
    }
    const Threshold threshold = threshold_of_largest(keys, n, k, smallest, largest);
    for (int64_t i = 0; i < n; ++i) {
        mask[i] = keys[i] >= threshold.key ? 1 : 0;
    }
    int64_t surplus = threshold.reached - k;
    for (int64_t i = n - 1; surplus > 0; --i) {
        if (keys[i] == threshold.key) {
            mask[i] = 0;
            --surplus;
        }
    }
    return true;
}

}  // namespace kofn::cpu::KOFN_VARIANT
