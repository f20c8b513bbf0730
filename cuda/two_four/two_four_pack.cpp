#include <cstddef>

#include "two_four.h"

namespace {

/** The places of the two that are kept of four, as the contract packs them; −1 if it is not two. */
int places_of(const uint8_t* mask) {
    int places = 0, kept = 0;
    for (int i = 0; i < 4; ++i) {
        if (mask[i] != 0) {
            places |= kept < 2 ? i << (2 * kept) : 0;
            ++kept;
        }
    }
    return kept == 2 ? places : -1;
}

}  // namespace

int32_t kofn_two_four_pack(int32_t outputs, int32_t inputs, const float* dense, const uint8_t* mask, float* values,
                           uint8_t* places) {
    if (dense == nullptr || mask == nullptr || values == nullptr || places == nullptr) {
        return KOFN_CONV_NULL;
    }
    if (outputs < 1 || inputs < 4 || inputs % 4 != 0) {
        return KOFN_CONV_SHAPE;
    }
    const size_t fours = static_cast<size_t>(outputs) * static_cast<size_t>(inputs / 4);
    for (size_t four = 0; four < fours; ++four) {
        if (places_of(mask + 4 * four) < 0) {
            return KOFN_CONV_KEPT;
        }
    }
    const size_t of_a_row = static_cast<size_t>(inputs / 4), bytes = (of_a_row + 1) / 2;
    for (size_t four = 0; four < fours; ++four) {
        const int both = places_of(mask + 4 * four);
        values[2 * four] = dense[4 * four + (both & 3)];
        values[2 * four + 1] = dense[4 * four + (both >> 2)];
        const size_t row = four / of_a_row, c = four % of_a_row;
        uint8_t& byte = places[row * bytes + c / 2];
        byte = static_cast<uint8_t>(c % 2 == 0 ? both : byte | both << 4);
    }
    return KOFN_CONV_OK;
}
