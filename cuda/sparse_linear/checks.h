#pragma once

#include "sparse_linear.h"

/** What the calls refuse on every processor. */
namespace kofn::linear {

inline bool in_range(int32_t x, int32_t least, int32_t greatest) {
    return x >= least && x <= greatest;
}

/** Whether layer, batch and precision are in order, the lists too. */
inline int32_t check(const kofn_linear& l, int32_t batch, int32_t precision) {
    constexpr int32_t most = 1 << 20;
    if (!in_range(l.inputs, 1, most) || !in_range(l.outputs, 1, most) || !in_range(batch, 1, most)
        || !in_range(l.activation, KOFN_IDENTITY, KOFN_RELU6) || (precision != KOFN_FP32 && precision != KOFN_BF16)) {
        return KOFN_CONV_SHAPE;
    }
    if (!in_range(l.kept, 1, l.inputs) || !in_range(l.share, 1, l.outputs) || l.outputs % l.share != 0) {
        return KOFN_CONV_KEPT;
    }
    if (l.indices == nullptr || l.weights == nullptr) {
        return KOFN_CONV_NULL;
    }
    const int64_t lists = l.outputs / l.share;
    for (int64_t list = 0; list < lists; ++list) {
        int32_t previous = -1;
        for (const int32_t* i = l.indices + list * l.kept; i < l.indices + (list + 1) * l.kept; ++i) {
            if (*i <= previous || *i >= l.inputs) {
                return KOFN_CONV_INDEX;
            }
            previous = *i;
        }
    }
    return KOFN_CONV_OK;
}

}  // namespace kofn::linear
