#pragma once

#include <algorithm>

#include "apply.cuh"
#include "cuda_table.cuh"
#include "gradient.cuh"

/** From the caller's layers to what the kernels read, on the host. */
namespace kofn::cuda {

/** What a call is about to do with the layers, and so which of their pointers must be there. */
enum class Call { sample, sample_backward, apply, apply_backward };

constexpr int64_t MOST_WEIGHTS = (int64_t{1} << 31) - 1;  // indices inside a layer have 32 bits

inline int64_t groups_of(const kofn_layout& layout) {
    return layout.group_sizes[0] * layout.group_sizes[1] * layout.group_sizes[2];
}

/** Whether all sizes are at least 1, no stride is negative, and neither size nor extent is beyond 32 bits. */
inline bool is_addressable(const kofn_layout& layout) {
    int64_t weights = 1;
    int64_t last = 0;  // offset of the last weight of a group
    auto axis = [&](int64_t size, int64_t stride, bool inside) {
        if (size < 1 || size > MOST_WEIGHTS || stride < 0 || stride > MOST_WEIGHTS || weights > MOST_WEIGHTS / size) {
            return false;
        }
        weights *= size;
        last += inside ? (size - 1) * stride : 0;
        return last <= MOST_WEIGHTS;
    };
    for (int i = 0; i < 3; ++i) {
        if (!axis(layout.group_sizes[i], layout.group_strides[i], false)) {
            return false;
        }
    }
    return axis(layout.candidates, layout.candidate_stride, true)
        && axis(layout.element_sizes[0], layout.element_strides[0], true)
        && axis(layout.element_sizes[1], layout.element_strides[1], true);
}

/** Whether a call can be made for a layer. */
inline bool is_sound(const kofn_layer& layer, Call call) {
    const int64_t n = layer.layout.candidates;
    bool shape = n >= 1 && n <= (int64_t{1} << 20) && is_addressable(layer.layout)
        && (layer.effective_type == KOFN_FLOAT32 || layer.effective_type == KOFN_BFLOAT16);
    bool kept = layer.kept >= 1 && layer.kept <= n;
    switch (call) {
        case Call::sample:
            return shape && kept && layer.logits && layer.latent && layer.effective && layer.mask && layer.bits
                && layer.indices;
        case Call::sample_backward:
            return shape && kept && layer.logits && layer.latent && layer.bits && layer.indices
                && layer.effective_gradient && layer.logit_gradient;
        case Call::apply:
            return shape && layer.latent && layer.effective && layer.mask;
        default:
            return shape && layer.mask && layer.effective_gradient && layer.latent_gradient;
    }
}

/** Whether memory that may be absent lies at a multiple of so many bytes. */
inline bool is_aligned(const void* pointer, uintptr_t bytes) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

inline Size size_of(int64_t n) {
    const int64_t most[] = {4, 8, 16, 32, 64, 128, 256, 512, MOST_IN_REGISTERS, MOST_IN_SHARED};
    return static_cast<Size>(std::lower_bound(std::begin(most), std::end(most), n) - std::begin(most));
}

inline uint32_t lanes_of(Size size) {
    if (size >= Size::block_registers) {
        return BLOCK;
    }
    return std::min(WARP, 1u << static_cast<uint32_t>(size));
}

/** A layer for `sample` and `gradient`, but for its blocks and workspace; its description is sound. */
inline Layer describe(const kofn_layer& layer, uint32_t number, Call call) {
    const kofn_layout& layout = layer.layout;
    const uint32_t n = static_cast<uint32_t>(layout.candidates);
    Layer out{};
    out.logits = layer.logits;
    out.latent = layer.latent;
    out.bits = layer.bits;
    out.indices = layer.indices;
    if (call == Call::sample) {
        out.effective = layer.effective;
        out.mask = layer.mask;
    } else {
        out.effective_gradient = layer.effective_gradient;
        out.latent_gradient = layer.latent_gradient;
        out.logit_gradient = layer.logit_gradient;
        out.temperature_gradient = layer.temperature_gradient;
    }
    std::copy_n(layout.group_strides, 3, out.group_strides);
    out.group_sizes[0] = Divisor::of(static_cast<uint32_t>(layout.group_sizes[1]));
    out.group_sizes[1] = Divisor::of(static_cast<uint32_t>(layout.group_sizes[2]));
    out.groups = static_cast<uint32_t>(groups_of(layout));
    out.candidates = n;
    out.kept = static_cast<uint32_t>(layer.kept);
    out.words = (n + 31) / 32;

    // Elements nearer than the next candidate are inner ones, those beyond it outer ones.
    uint32_t sizes[2], strides[2];
    for (int i = 0; i < 2; ++i) {
        sizes[i] = static_cast<uint32_t>(layout.element_sizes[i]);
        strides[i] = sizes[i] == 1 ? 0 : static_cast<uint32_t>(layout.element_strides[i]);
    }
    const uint32_t candidate_stride = static_cast<uint32_t>(layout.candidate_stride);
    int inner = sizes[1] == 1 || (sizes[0] != 1 && strides[0] < strides[1]) ? 0 : 1;
    if (sizes[1 - inner] == 1 && strides[inner] >= candidate_stride) {
        inner = 1 - inner;
    }
    out.inner = Divisor::of(sizes[inner]);
    out.inner_stride = strides[inner];
    out.outer = sizes[1 - inner];
    out.outer_stride = strides[1 - inner];
    out.candidate_stride = candidate_stride;

    out.index = layer.index;
    out.number = number;
    out.size = size_of(n);
    out.lanes = lanes_of(out.size);
    const int64_t elements = layout.element_sizes[0] * layout.element_sizes[1];
    out.bfloat16 = layer.effective_type == KOFN_BFLOAT16;
    out.wide = elements > 1 && n * elements > int64_t{WIDE} * out.lanes;
    out.contiguous = candidate_stride == sizes[inner] && (sizes[inner] == 1 || strides[inner] == 1);
    out.by_four = n % 4 == 0 && is_aligned(out.logits, 16) && is_aligned(out.mask, 4)
        && is_aligned(out.logit_gradient, 16);
    out.weights_by_four = out.contiguous && static_cast<uint64_t>(n) * sizes[inner] % 4 == 0
        && is_aligned(out.latent, 16) && is_aligned(out.effective, out.bfloat16 ? 8 : 16);
    return out;
}

/** What `gradient`, or for a large group `gradient_of_large_groups`, takes of shared memory. */
inline uint32_t shared_bytes_of_gradient(const Layer& layer) {
    const uint32_t staged = stages(layer) ? BLOCK / WARP * STAGED * sizeof(float) : 0;
    const uint32_t rest = layer.size == Size::block_recomputed ? MOST_SORTED_IN_SHARED * sizeof(uint64_t)
                                                               : BLOCK / layer.lanes * shared_bytes_of_team(layer);
    return std::max(staged, rest);
}

/** A layer for the backward: like `describe`, but where scores and winners are too many, fewer teams share a block. */
inline Layer describe_for_gradient(const kofn_layer& layer, uint32_t number) {
    Layer out = describe(layer, number, Call::sample_backward);
    if (out.lanes < BLOCK && shared_bytes_of_gradient(out) > MOST_SHARED) {
        out.size = Size::block_shared;
        out.lanes = BLOCK;
    }
    if (out.lanes == BLOCK && (out.kept > MOST_SORTED_IN_SHARED || shared_bytes_of_gradient(out) > MOST_SHARED)) {
        out.size = Size::block_recomputed;
    }
    return out;
}

/** A layer for the kernels of apply.cuh, but for its blocks. */
inline Sweep describe_sweep(const kofn_layer& layer) {
    const kofn_layout& layout = layer.layout;
    Sweep out{};
    out.latent = layer.latent;
    out.effective = layer.effective;
    out.mask = layer.mask;
    out.effective_gradient = layer.effective_gradient;
    out.latent_gradient = layer.latent_gradient;
    out.bfloat16 = layer.effective_type == KOFN_BFLOAT16;

    struct Steps {
        int64_t size, weight, mask;
    };
    Steps steps[6];
    int64_t mask_stride = layout.candidates;
    for (int i = 2; i >= 0; --i) {
        steps[i] = {layout.group_sizes[i], layout.group_strides[i], mask_stride};
        mask_stride *= layout.group_sizes[i];
    }
    steps[3] = {layout.candidates, layout.candidate_stride, 1};
    steps[4] = {layout.element_sizes[0], layout.element_strides[0], 0};
    steps[5] = {layout.element_sizes[1], layout.element_strides[1], 0};
    std::stable_sort(steps, steps + 6, [](const Steps& a, const Steps& b) { return a.weight < b.weight; });
    out.weights = 1;
    Steps last{};
    for (const Steps& axis : steps) {
        if (axis.size == 1) {
            continue;
        }
        out.weights *= static_cast<uint32_t>(axis.size);
        bool goes_on = out.count > 0 && axis.weight == last.size * last.weight && axis.mask == last.size * last.mask;
        last = goes_on ? Steps{last.size * axis.size, last.weight, last.mask} : axis;
        out.count += goes_on ? 0 : 1;
        out.axes[out.count - 1] = {Divisor::of(static_cast<uint32_t>(last.size)), last.weight, last.mask};
    }
    return out;
}

}  // namespace kofn::cuda
