#pragma once

#include "team.cuh"

/**
 * Which keys are the k largest. Tiles find the k-th largest key bit by bit, counting; blocks by a histogram of eleven
 * bits at a time. A few lanes compare every candidate with every other. All are exact for any keys.
 */
namespace kofn::cuda {

constexpr uint32_t ALL = ~0u;

/** Kept is what exceeds the key, and of what equals it the first `ties` candidates. */
struct Threshold {
    uint32_t key, ties;
};

/**
 * The threshold of the k largest among the keys that a team holds, by bisection. It ends early when a threshold parts
 * exactly k keys from the others, which for continuous scores needs about log₂ n bits after those that all keys share.
 */
template <class Team, int QUADS>
__device__ __forceinline__ Threshold bisect(const Team& team, const uint32_t (&keys)[QUADS][4], uint32_t kept) {
    uint32_t key = 0;
    for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
        uint32_t trial = key | bit;
        uint32_t count = 0;
#pragma unroll
        for (int q = 0; q < QUADS; ++q) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                count += keys[q][i] >= trial ? 1u : 0u;
            }
        }
        count = team.sum(count);
        if (count >= kept) {
            key = trial;
            if (count == kept) {
                return {key, ALL};
            }
        }
    }
    uint32_t greater = 0;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            greater += keys[q][i] > key ? 1u : 0u;
        }
    }
    return {key, kept - team.sum(greater)};
}

/** Which of a lane's four candidates are kept, by comparison with all candidates; for n ≤ 16 cheaper than bisection. */
template <class Tile>
__device__ __forceinline__ uint32_t keep_by_rank(const Tile& tile, const uint32_t (&keys)[4], uint32_t kept) {
    uint32_t rank[4] = {0, 0, 0, 0};
#pragma unroll
    for (unsigned other = 0; other < Tile::lanes; ++other) {
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) {
            uint32_t theirs = tile.of_lane(keys[j], other);
#pragma unroll
            for (unsigned i = 0; i < 4; ++i) {
                bool first = other < tile.lane || (other == tile.lane && j < i);
                bool ahead = theirs > keys[i] || (theirs == keys[i] && first);
                rank[i] += ahead ? 1u : 0u;
            }
        }
    }
    uint32_t nibble = 0;
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
        nibble |= rank[i] < kept ? 1u << i : 0u;
    }
    return nibble;
}

/** Which of four keys are kept, where `ties_before` keys before them equal the threshold. */
__device__ __forceinline__ uint32_t keep(const uint32_t (&keys)[4], Threshold threshold, uint32_t ties_before) {
    uint32_t nibble = 0;
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
        bool tie = keys[i] == threshold.key;
        nibble |= keys[i] > threshold.key || (tie && ties_before < threshold.ties) ? 1u << i : 0u;
        ties_before += tie ? 1u : 0u;
    }
    return nibble;
}

/** How many of four keys equal the threshold. */
__device__ __forceinline__ uint32_t ties_among(const uint32_t (&keys)[4], Threshold threshold) {
    uint32_t count = 0;
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
        count += keys[i] == threshold.key ? 1u : 0u;
    }
    return count;
}

/** What the threads of a block tell each other about the bin in which the k-th key lies. */
struct Bin {
    uint32_t number, before, count;
};

/**
 * The threshold of the k largest keys of a block, by a histogram of 11, 11 and 10 bits. `each_key(f)` calls f for every
 * key of the calling thread. Counts are integers, so that the order of atomic additions cannot matter.
 */
template <class EachKey>
__device__ __forceinline__ Threshold select_by_histogram(const Block& team, uint32_t* histogram, Bin& bin,
                                                         uint32_t kept, EachKey each_key) {
    constexpr uint32_t own = HISTOGRAM / BLOCK;
    uint32_t key = 0, decided = 0;
    for (uint32_t shift = 21;; shift = shift == 21 ? 10 : 0) {
        for (uint32_t i = team.lane; i < HISTOGRAM; i += BLOCK) {
            histogram[i] = 0;
        }
        team.sync();
        uint32_t digit = shift == 0 ? 0x3FFu : 0x7FFu;
        each_key([&](uint32_t candidate_key) {
            if ((candidate_key & decided) == key) {
                atomicAdd(&histogram[candidate_key >> shift & digit], 1u);
            }
        });
        team.sync();
        // From the highest bin downwards; every thread has some in a row.
        uint32_t top = HISTOGRAM - 1 - team.lane * own;
        uint32_t mine = 0;
#pragma unroll
        for (uint32_t i = 0; i < own; ++i) {
            mine += histogram[top - i];
        }
        uint32_t before = team.scan(mine, 0u, Sum());
        if (before < kept && kept <= before + mine) {
            uint32_t number = top;
            while (before + histogram[number] < kept) {
                before += histogram[number--];
            }
            bin = {number, before, histogram[number]};
        }
        team.sync();
        key |= bin.number << shift;
        decided |= digit << shift;
        kept -= bin.before;
        if (shift == 0) {
            return {key, kept};
        }
        if (bin.count == kept) {
            return {key, ALL};
        }
    }
}

}  // namespace kofn::cuda
