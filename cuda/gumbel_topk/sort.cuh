#pragma once

#include "team.cuh"

/**
 * Bitonic sort (Batcher 1968) by a team: no branch depends on the data, and every stage is one pass over pairs. Entries
 * are unique, so that the order is one and the same however they came.
 */
namespace kofn::cuda {

/** A candidate with its score as one integer: ascending is by score downwards, then by candidate upwards. */
__device__ __forceinline__ uint64_t entry_of(uint32_t key, uint32_t candidate) {
    return static_cast<uint64_t>(~key) << 32 | candidate;
}
__device__ __forceinline__ uint32_t key_of_entry(uint64_t entry) {
    return ~static_cast<uint32_t>(entry >> 32);
}
__device__ __forceinline__ uint32_t candidate_of_entry(uint64_t entry) {
    return static_cast<uint32_t>(entry);
}
constexpr uint64_t BEHIND_ALL = ~uint64_t{0};

/**
 * Compares entries `stride` apart in runs of `width`, which ascend and descend in turn; `first` is the place of
 * entries[0] in the whole.
 */
template <class Team>
__device__ __forceinline__ void sort_stage(const Team& team, uint64_t* entries, uint32_t count, uint32_t first,
                                           uint32_t width, uint32_t stride) {
#pragma unroll 1
    for (uint32_t pair = team.lane; pair < count / 2; pair += Team::lanes) {
        uint32_t low = 2 * pair - (pair & (stride - 1));
        uint64_t a = entries[low];
        uint64_t b = entries[low + stride];
        bool ascends = ((first + low) & width) == 0;
        if ((a > b) == ascends) {
            entries[low] = b;
            entries[low + stride] = a;
        }
    }
    team.sync();
}

/** Sorts entries, a power of two of them, in ascending order. All must have been written and seen. */
template <class Team>
__device__ __forceinline__ void sort(const Team& team, uint64_t* entries, uint32_t count) {
#pragma unroll 1
    for (uint32_t width = 2; width <= count; width *= 2) {
#pragma unroll 1
        for (uint32_t stride = width / 2; stride > 0; stride /= 2) {
            sort_stage(team, entries, count, 0, width, stride);
        }
    }
}

/** Sorts entries in global memory: stages of short strides are made in shared memory, part after part. */
__device__ __forceinline__ void sort_large(const Block& team, uint64_t* entries, uint32_t count, uint64_t* part) {
    const uint32_t size = count < MOST_SORTED_IN_SHARED ? count : MOST_SORTED_IN_SHARED;
    for (uint32_t width = size; width <= count; width *= 2) {
        for (uint32_t stride = width / 2; stride >= size; stride /= 2) {
            sort_stage(team, entries, count, 0, width, stride);
        }
        for (uint32_t first = 0; first < count; first += size) {
            for (uint32_t i = team.lane; i < size; i += BLOCK) {
                part[i] = entries[first + i];
            }
            team.sync();
            // The first time, parts are sorted from nothing; later only their last merge is left.
            for (uint32_t inside = width == size ? 2 : width; inside <= width; inside *= 2) {
                for (uint32_t stride = inside < size ? inside / 2 : size / 2; stride > 0; stride /= 2) {
                    sort_stage(team, part, size, first, inside, stride);
                }
            }
            for (uint32_t i = team.lane; i < size; i += BLOCK) {
                entries[first + i] = part[i];
            }
            team.sync();
        }
    }
}

}  // namespace kofn::cuda
