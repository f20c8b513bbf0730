#pragma once

#include "sparse_conv.h"

/** What the calls refuse on every processor. */
namespace kofn::conv {

inline bool in_range(int32_t x, int32_t least, int32_t most) {
    return x >= least && x <= most;
}

/** Of one axis, how many outputs there are; not positive if there are none. */
inline int64_t outputs_along(int32_t size, int32_t taps, int32_t stride, int32_t padding) {
    const int64_t room = int64_t{size} + 2 * padding - taps;
    return room < 0 ? 0 : room / stride + 1;
}

/** Whether the description itself is in order, but for the indices; `values`: with weights. */
inline int32_t check_shape(const kofn_conv& c, bool values = true) {
    const int32_t most = 1 << 20;
    if (!in_range(c.inputs, 1, most) || !in_range(c.outputs, 1, most) || !in_range(c.height, 1, most)
        || !in_range(c.width, 1, most) || !in_range(c.rows, 1, 7) || !in_range(c.columns, 1, 7)
        || !in_range(c.stride_rows, 1, 7) || !in_range(c.stride_columns, 1, 7) || !in_range(c.padding_rows, 0, 3)
        || !in_range(c.padding_columns, 0, 3) || !in_range(c.activation, KOFN_IDENTITY, KOFN_RELU6)
        || outputs_along(c.height, c.rows, c.stride_rows, c.padding_rows) < 1
        || outputs_along(c.width, c.columns, c.stride_columns, c.padding_columns) < 1) {
        return KOFN_CONV_SHAPE;
    }
    if (!in_range(c.kept, 1, c.inputs) || !in_range(c.share, 1, c.outputs) || c.outputs % c.share != 0) {
        return KOFN_CONV_KEPT;
    }
    return c.indices == nullptr || (values && c.weights == nullptr) ? KOFN_CONV_NULL : KOFN_CONV_OK;
}

/** Whether every list is strictly ascending within the inputs. */
inline int32_t check_indices(const kofn_conv& c) {
    const int64_t lists = c.outputs / c.share;
    for (int64_t list = 0; list < lists; ++list) {
        int32_t previous = -1;
        for (const int32_t* i = c.indices + list * c.kept; i < c.indices + (list + 1) * c.kept; ++i) {
            if (*i <= previous || *i >= c.inputs) {
                return KOFN_CONV_INDEX;
            }
            previous = *i;
        }
    }
    return KOFN_CONV_OK;
}

}  // namespace kofn::conv
