#pragma once

#include <algorithm>
#include <vector>

#include "direct.h"

/** How far lists go in each step. */
namespace kofn::conv {

/**
 * The pace of the lists that one warp has in hand; each is given by the places of its entries among the channels that
 * the block stages, ascending. In step t an entry can be computed with if its chunk has come, and must be if its chunk
 * makes room in the next step: chunks t + 2 − places … t are there. A warp takes as long as the list that goes farthest.
 * So all go on by the same number of entries, as many as all have that have not ended, or more where one must; and who
 * can goes along.
 *
 * Returns the entries that are done after each step, [chunks][lists].
 */
inline std::vector<int32_t> direct_pace(const std::vector<std::vector<int32_t>>& lists, int32_t chunks, int32_t chunk,
                                        int32_t places) {
    const size_t count = lists.size();
    std::vector<int32_t> ends, done(count), there(count), due(count);
    for (int32_t step = 0; step < chunks; ++step) {
        const int32_t come = (step + 1) * chunk;
        const int32_t leaving = step + 1 == chunks ? come : (step + 3 - places) * chunk;
        int32_t all_have = INT32_MAX, one_must = 0;
        for (size_t l = 0; l < count; ++l) {
            const int32_t size = static_cast<int32_t>(lists[l].size());
            while (there[l] < size && lists[l][static_cast<size_t>(there[l])] < come) {
                ++there[l];
            }
            while (due[l] < size && lists[l][static_cast<size_t>(due[l])] < leaving) {
                ++due[l];
            }
            all_have = done[l] < size ? std::min(all_have, there[l] - done[l]) : all_have;
            one_must = std::max(one_must, due[l] - done[l]);
        }
        for (size_t l = 0; l < count; ++l) {
            done[l] += std::min(there[l] - done[l], std::max(all_have, one_must));
            ends.push_back(done[l]);
        }
    }
    return ends;
}

}  // namespace kofn::conv
