#pragma once

#include "../common/arithmetic.h"
#include "cpu_lanes.h"

/** The winners in order. Part of gumbel_topk_cpu_variant.cpp. */
namespace kofn::cpu::KOFN_VARIANT {

/** A winner; sorted by `rank`, ascending. */
struct Winner {
    uint32_t rank; /* how far its key lies below the largest */
    int32_t candidate;
};

/** Moves each winner before the larger ones that precede it; equal ones stay in order. */
inline void insertion_sort(Winner* winners, int64_t k) {
    for (int64_t i = 1; i < k; ++i) {
        const Winner moving = winners[i];
        int64_t to = i;
        for (; to > 0 && winners[to - 1].rank > moving.rank; --to) {
            winners[to] = winners[to - 1];
        }
        winners[to] = moving;
    }
}

/** Sorts by digits of at most 9 bits, the lowest first, of ranks below 2^bits; equal ones stay in order. */
inline Winner* radix_sort(Winner* winners, Winner* other, int64_t k, int bits) {
    const int passes = (bits + 8) / 9;
    const int digit = passes > 0 ? (bits + passes - 1) / passes : 0;
    const uint32_t last = (1u << digit) - 1;
    for (int pass = 0; pass < passes; ++pass) {
        const int shift = pass * digit;
        int32_t place[512] = {};
        for (int64_t i = 0; i < k; ++i) {
            ++place[(winners[i].rank >> shift) & last];
        }
        int32_t before = 0;
        for (uint32_t value = 0; value <= last; ++value) {
            const int32_t count = place[value];
            place[value] = before;
            before += count;
        }
        for (int64_t i = 0; i < k; ++i) {
            other[place[(winners[i].rank >> shift) & last]++] = winners[i];
        }
        Winner* sorted = other;
        other = winners;
        winners = sorted;
    }
    return winners;
}

/** The winners of a group in descending order of y, ties: lowest candidate first. Both buffers hold k. */
inline Winner* sort_winners(const float* y, const int32_t* indices, int64_t k, Winner* winners, Winner* other) {
    int32_t smallest = order_key(y[indices[0]]), largest = smallest;
    for (int64_t i = 0; i < k; ++i) {
        const int32_t key = order_key(y[indices[i]]);
        smallest = key < smallest ? key : smallest;
        largest = key > largest ? key : largest;
        winners[i] = {static_cast<uint32_t>(key), indices[i]};
    }
    for (int64_t i = 0; i < k; ++i) {
        winners[i].rank = static_cast<uint32_t>(largest) - winners[i].rank;
    }
    if (k <= 32) {
        insertion_sort(winners, k);
        return winners;
    }
    const uint32_t range = static_cast<uint32_t>(largest) - static_cast<uint32_t>(smallest);
    return radix_sort(winners, other, k, range == 0 ? 0 : 32 - __builtin_clz(range));
}

}  // namespace kofn::cpu::KOFN_VARIANT
