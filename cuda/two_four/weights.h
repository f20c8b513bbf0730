#pragma once

#include <cstring>
#include <vector>

#include "../common/mma_sparse_layout.h"
#include "../common/tf32.h"
#include "two_four.h"

/**
 * Weights in the order in which a warp reads them: registers of `mma.sp`, for blocks of 64 outputs and, in each, steps of
 * the sum. A lane has four words for each of the block's four products of 16 outputs, side by side over the lanes, and
 * two words of metadata: the first serves products 0 (selector 0) and 1 (selector 1), the second 2 and 3.
 *
 * A chunk is what is staged at a time: 64 inputs and two steps in bf16, 32 inputs and three steps in tf32.
 */
namespace kofn::two_four {

constexpr uint32_t BLOCK_OUTPUTS = 64;

struct Packed {
    uint32_t blocks, steps;          // steps of the whole sum, in whole chunks
    std::vector<uint32_t> values;    // [blocks][steps][4][32 lanes][4], and a step more, which kernels read ahead
    std::vector<uint32_t> metadata;  // [blocks][steps][32 lanes][2], and a step more

    Packed(uint32_t outputs, uint32_t chunks, uint32_t steps_of_chunk)
        : blocks((outputs + BLOCK_OUTPUTS - 1) / BLOCK_OUTPUTS), steps(chunks * steps_of_chunk),
          values((size_t{blocks} * steps + 1) * 512), metadata((size_t{blocks} * steps + 1) * 64, 0x44444444u) {}

    /** Where kept number j of an output's row goes; `of` says where a product keeps it. */
    template <class Of>
    uint32_t& value(uint32_t output, uint32_t step, uint32_t j, Of of, uint32_t& bit) {
        const LanePlace at = of(output % 16, j);
        bit = at.bit;
        return values[((block(output, step) * 4 + output / 16 % 4) * 32 + at.lane) * 4 + at.reg];
    }

    /** Sets the four bits of chunk c of a product's row, which were 0b0100. */
    void set_places(uint32_t output, uint32_t step, uint32_t c, uint32_t places) {
        const uint32_t product = output / 16 % 4;
        const LanePlace at = sparse_metadata(output % 16, c, product % 2);
        metadata[(block(output, step) * 32 + at.lane) * 2 + product / 2] ^= (places ^ 0b0100u) << at.bit;
    }

private:
    size_t block(uint32_t output, uint32_t step) const {
        return size_t{output / BLOCK_OUTPUTS} * steps + step;
    }
};

/** Four inputs of an output: what is kept, and where. */
struct Four {
    float values[2];
    uint32_t places[2];
};

/** f(output, number of the four, Four) for all fours; false if places do not ascend or spare bits are set. */
template <class F>
bool each_four(const kofn_two_four& layer, F f) {
    const uint32_t fours = static_cast<uint32_t>(layer.inputs) / 4;
    const size_t bytes = (fours + 1) / 2;
    for (uint32_t o = 0; o < static_cast<uint32_t>(layer.outputs); ++o) {
        const uint8_t* places = layer.places + o * bytes;
        if (fours % 2 != 0 && places[bytes - 1] >> 4 != 0) {
            return false;
        }
        for (uint32_t c = 0; c < fours; ++c) {
            const uint32_t both = places[c / 2] >> (c % 2 * 4) & 15u;
            const float* values = layer.values + (size_t{o} * fours + c) * 2;
            const Four four{{values[0], values[1]}, {both & 3u, both >> 2}};
            if (four.places[0] >= four.places[1]) {
                return false;
            }
            f(o, c, four);
        }
    }
    return true;
}

inline bool pack_bf16(const kofn_two_four& layer, Packed& packed) {
    return each_four(layer, [&](uint32_t o, uint32_t c, const Four& four) {
        const uint32_t step = c / 8;
        for (uint32_t i = 0; i < 2; ++i) {
            uint32_t bit;
            uint32_t& word = packed.value(o, step, c % 8 * 2 + i, sparse_a_bf16, bit);
            word |= static_cast<uint32_t>(to_bfloat16(four.values[i])) << bit;
        }
        packed.set_places(o, step, c % 8, four.places[0] | four.places[1] << 2);
    });
}

/**
 * Three pairs for the fours of a chunk: (0, 1) and (2, 3) in the first two steps, four fours each; in the third step one
 * across them, (1, 2) of fours 0, 2, 4, 6 and (0, 3) of the others. Taking turns, eight neighbouring inputs give a
 * product's four lanes of a group places that differ modulo 4, and so different banks of shared memory.
 */
inline bool pack_tf32(const kofn_two_four& layer, Packed& packed) {
    const auto put = [&packed](uint32_t o, uint32_t step, uint32_t pair, bool second, float value) {
        uint32_t bit;
        packed.value(o, step, pair, sparse_a_tf32, bit) = to_tf32(value);
        packed.set_places(o, step, pair, second ? SPARSE_SECOND : SPARSE_FIRST);
    };
    return each_four(layer, [&](uint32_t o, uint32_t c, const Four& four) {
        const uint32_t first_step = c / 8 * 3, step = first_step + c % 8 / 4, pair = c % 4 * 2;
        const uint32_t across_low = c % 2 == 0 ? 1 : 0, across_high = c % 2 == 0 ? 2 : 3;
        const bool together = four.places[0] / 2 == four.places[1] / 2; // both in (0, 1), or both in (2, 3)
        for (uint32_t i = 0; i < 2; ++i) {
            const uint32_t place = four.places[i];
            if (together && (place == across_low || place == across_high)) {
                put(o, first_step + 2, c % 8, place == across_high, four.values[i]);
            } else {
                put(o, step, pair + place / 2, place % 2 == 1, four.values[i]);
            }
        }
    });
}

}  // namespace kofn::two_four
