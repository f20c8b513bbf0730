#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "sparse_conv.h"

/** A convolution seen from its inputs, as the gradient of the data needs it. */
namespace kofn::conv {

/** For each input, the kernels that read it and their outputs, ascending. */
struct Transposed {
    std::vector<int64_t> starts;           /* [inputs + 1] */
    std::vector<int32_t> outputs, kernels; /* [O·k]; a kernel is its place in [O/b][k][b] */

    int64_t length(int64_t input) const {
        return starts[static_cast<size_t>(input + 1)] - starts[static_cast<size_t>(input)];
    }
};

/** By counting. */
inline Transposed transposed(const kofn_conv& c) {
    Transposed lists;
    lists.starts.assign(static_cast<size_t>(c.inputs) + 1, 0);
    const int64_t pairs = int64_t{c.outputs} * c.kept;
    for (int64_t entry = 0; entry < pairs / c.share; ++entry) {
        lists.starts[static_cast<size_t>(c.indices[entry]) + 1] += c.share;
    }
    std::partial_sum(lists.starts.begin(), lists.starts.end(), lists.starts.begin());
    lists.outputs.resize(static_cast<size_t>(pairs));
    lists.kernels.resize(static_cast<size_t>(pairs));
    std::vector<int64_t> next(lists.starts.begin(), lists.starts.end() - 1);
    for (int32_t o = 0; o < c.outputs; ++o) {
        for (int32_t i = 0; i < c.kept; ++i) {
            const int64_t entry = int64_t{o / c.share} * c.kept + i;
            const auto at = static_cast<size_t>(next[static_cast<size_t>(c.indices[entry])]++);
            lists.outputs[at] = o;
            lists.kernels[at] = static_cast<int32_t>(entry * c.share + o % c.share);
        }
    }
    return lists;
}

/** Of one axis: which taps hit the pixels from `pixel` on that lie a stride apart, and where in dy. */
struct Hits {
    int32_t first, taps; /* the first of the taps, and how many; the others follow a stride apart */
    int32_t pixels;
    int32_t before; /* how far ahead of dy's first pixel the first pixel begins to read; negative if it is behind */

    Hits(int32_t pixel, int32_t size, int32_t of_kernel, int32_t stride, int32_t padding)
        : first((pixel + padding) % stride),
          taps(of_kernel > first ? (of_kernel - 1 - first) / stride + 1 : 0),
          pixels((size - pixel + stride - 1) / stride),
          before(taps - 1 - (pixel + padding) / stride) {}
};

}  // namespace kofn::conv
