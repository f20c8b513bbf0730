#pragma once

#include <algorithm>
#include <vector>

#include "direct_pace.h"
#include "sparse_conv.h"

/** Lists as the blocks of the direct method read them. */
namespace kofn::conv {

/** For each output the channels of its list, ascending. Lists may differ in length, or have no entry. */
using Lists = std::vector<std::vector<int32_t>>;

/** Those of a convolution. */
inline Lists lists_of(const kofn_conv& conv) {
    Lists lists;
    for (int32_t output = 0; output < conv.outputs; ++output) {
        const int32_t* list = conv.indices + int64_t{output / conv.share} * conv.kept;
        lists.emplace_back(list, list + conv.kept);
    }
    return lists;
}

/** Lists cut for the blocks of a tile: what each stages, where entries find it, and how far lists go in each step. */
struct DirectLists {
    std::vector<DirectOutput> outputs; /* without planes and bias */
    std::vector<int32_t> places;       /* [entries of all lists]: of the channel in the ring */
    std::vector<int32_t> channels, ends;
    std::vector<DirectPart> parts;

    DirectLists(const Direct& tile, const Lists& lists) {
        for (const std::vector<int32_t>& list : lists) {
            outputs.push_back({static_cast<int64_t>(places.size()), 0, 0});
            places.insert(places.end(), list.begin(), list.end());
        }
        for (int32_t block = 0; block < tile.output_blocks; ++block) {
            cut_block(tile, lists, block * tile.block_outputs);
        }
    }

    /** Planes in the order of outputs, one behind the other. */
    void set_planes(int32_t plane) {
        for (size_t o = 0; o < outputs.size(); ++o) {
            outputs[o].plane = static_cast<int32_t>(o) * plane;
        }
    }

private:
    void cut_block(const Direct& tile, const Lists& lists, int32_t first_output);
};

inline void DirectLists::cut_block(const Direct& tile, const Lists& lists, int32_t first_output) {
    const int32_t count = std::min(tile.block_outputs, tile.outputs - first_output);
    const auto first_list = lists.begin() + first_output;
    std::vector<int32_t> position(static_cast<size_t>(tile.inputs), -1);
    std::for_each(first_list, first_list + count, [&](const std::vector<int32_t>& list) {
        std::for_each(list.begin(), list.end(), [&](int32_t channel) { position[static_cast<size_t>(channel)] = 0; });
    });
    DirectPart part{static_cast<int32_t>(channels.size()), 0, static_cast<int64_t>(ends.size())};
    for (int32_t channel = 0; channel < tile.inputs; ++channel) {
        if (position[static_cast<size_t>(channel)] == 0) {
            position[static_cast<size_t>(channel)] = part.channels++;
            channels.push_back(channel * tile.height * tile.width);
        }
    }
    parts.push_back(part);

    const int32_t chunks = (part.channels + tile.chunk - 1) / tile.chunk, in_warp = 32 / tile.lanes;
    // Ends of the first step are read even where there is none.
    ends.resize(ends.size() + static_cast<size_t>(std::max(chunks, 1)) * tile.block_outputs);
    for (int32_t first = 0; first < count; first += in_warp) {
        Lists together(first_list + first, first_list + std::min(first + in_warp, count));
        for (size_t l = 0; l < together.size(); ++l) {
            auto place = places.begin() + outputs[static_cast<size_t>(first_output + first) + l].first;
            for (int32_t& channel : together[l]) {
                channel = position[static_cast<size_t>(channel)];
                *place++ = channel % (tile.places * tile.chunk) * tile.plane_words;
            }
        }
        const std::vector<int32_t> pace = direct_pace(together, chunks, tile.chunk, tile.places);
        for (size_t i = 0; i < pace.size(); ++i) {
            ends[static_cast<size_t>(part.first_end) + i / together.size() * tile.block_outputs + first
                 + i % together.size()] = pace[i];
        }
    }
}

}  // namespace kofn::conv
