#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "../common/arithmetic.h"
#include "sparse_linear_cuda.h"

/** What a plan keeps of lists and weights, in the order in which the kernels read them. */
namespace kofn::linear {

/** How x lies in shared memory, and how a kernel learns what is kept of it. */
struct Staging {
    bool bitmaps;
    uint32_t images, pitch;     /* side by side, and floats from input to input: for lists */
    uint32_t segment, segments; /* inputs at a time */
};

struct Packed {
    std::vector<uint8_t> weights;
    std::vector<uint16_t> places;
    std::vector<uint32_t> bitmaps, runs;
    std::vector<float> bias;

    int64_t bytes() const {
        const size_t words = bitmaps.size() + runs.size() + bias.size();
        return static_cast<int64_t>(weights.size() + 2 * places.size() + 4 * words);
    }
};

/**
 * Lists, weights and runs of one list; `order`: which kept weights follow each other. Runs of places are multiples of four:
 * those that fill them up lead to a row of zeros, and their weights are 0 (−1 in `order`).
 */
inline void pack_list(const int32_t* list, int32_t kept, uint32_t number, const Staging& s, Packed& packed,
                      std::vector<int32_t>& order) {
    order.clear();
    int32_t i = 0;
    for (uint32_t segment = 0; segment < s.segments; ++segment) {
        packed.runs.push_back(packed.runs.back());
        const uint32_t first = segment * s.segment;
        uint32_t count = 0;
        for (; i < kept && static_cast<uint32_t>(list[i]) < first + s.segment; ++i, ++count) {
            const uint32_t within = static_cast<uint32_t>(list[i]) - first;
            order.push_back(i);
            if (s.bitmaps) {
                packed.bitmaps[(number * size_t{s.segments} + segment) * (s.segment / 32) + within / 32] |=
                    1u << within % 32;
            } else {
                packed.places.push_back(static_cast<uint16_t>(within * s.pitch));
            }
        }
        for (; !s.bitmaps && count % 4 != 0; ++count) {
            order.push_back(-1);
            packed.places.push_back(static_cast<uint16_t>(s.segment * s.pitch));
        }
        packed.runs.back() += count;
    }
}

inline Packed pack(const kofn_linear& l, const Staging& staging, bool bf16) {
    const size_t lists = static_cast<size_t>(l.outputs / l.share), element = bf16 ? 2 : 4;
    Packed packed;
    packed.runs.push_back(0);
    packed.bitmaps.resize(staging.bitmaps ? lists * staging.segments * (staging.segment / 32) : 0);
    std::vector<int32_t> order;
    for (size_t list = 0; list < lists; ++list) {
        pack_list(l.indices + list * l.kept, l.kept, static_cast<uint32_t>(list), staging, packed, order);
        for (int32_t o = 0; o < l.share; ++o) {
            for (const int32_t i : order) {
                const float weight = i < 0 ? 0.0f : l.weights[(list * l.kept + i) * l.share + o];
                const uint16_t half = to_bfloat16(weight);
                const void* stored = bf16 ? static_cast<const void*>(&half) : &weight;
                const auto* bytes = static_cast<const uint8_t*>(stored);
                packed.weights.insert(packed.weights.end(), bytes, bytes + element);
            }
        }
    }
    packed.bias.resize(static_cast<size_t>(l.outputs));
    if (l.bias != nullptr) {
        std::copy_n(l.bias, l.outputs, packed.bias.begin());
    }
    return packed;
}

}  // namespace kofn::linear
