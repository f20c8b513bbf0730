#pragma once

#include "../common/arithmetic.h"
#include "cpu_lanes.h"

/**
 * What happens to the weights behind the candidates of a group: masking, and the sums that are a candidate's gradient.
 * T is float, or uint16_t for bfloat16. Part of gumbel_topk_cpu_variant.cpp.
 */
namespace kofn::cpu::KOFN_VARIANT {

/** The group's number along each axis and where its first weight lies, without a division for each group. */
class GroupCursor {
public:
    GroupCursor(const kofn_layout& layout, int64_t group) : layout_(layout) {
        for (int axis = 2; axis >= 0; --axis) {
            at_[axis] = group % layout.group_sizes[axis];
            group /= layout.group_sizes[axis];
            base_ += at_[axis] * layout.group_strides[axis];
        }
    }

    int64_t base() const { return base_; }

    void advance() {
        for (int axis = 2; axis >= 0; --axis) {
            base_ += layout_.group_strides[axis];
            if (++at_[axis] < layout_.group_sizes[axis]) {
                return;
            }
            base_ -= at_[axis] * layout_.group_strides[axis];
            at_[axis] = 0;
        }
    }

private:
    const kofn_layout& layout_;
    int64_t at_[3];
    int64_t base_ = 0;
};

inline float widened(float x) { return x; }
inline float widened(uint16_t x) { return from_bfloat16(x); }
inline void narrow(float x, float& to) { to = x; }
inline void narrow(float x, uint16_t& to) { to = to_bfloat16(x); }

/** The value where the mask is 1, +0 where it is 0: no branch, which would be guessed wrong as often as not. */
inline float kept_or_zero(float value, uint8_t mask) {
    return bits_float(float_bits(value) & (0u - mask));
}

/** Copies a run of weights, changing their type. */
template <class From, class To>
inline void copy_run(const From* from, To* to, int64_t size) {
    for (int64_t i = 0; i < size; ++i) {
        narrow(widened(from[i]), to[i]);
    }
}

/** Calls `body(row)` for every row of a group whose first weight is at `base`, with the place of the row's first. */
template <class Body>
inline void for_rows(const Layer& layer, int64_t base, Body body) {
    for (int64_t i = 0; i < layer.row_sizes[0]; ++i) {
        for (int64_t j = 0; j < layer.row_sizes[1]; ++j) {
            body(base + i * layer.row_strides[0] + j * layer.row_strides[1]);
        }
    }
}

/** Calls `body` with the length of the layer's runs, as a constant where that is the usual 3 × 3. */
template <class Body>
inline void with_run(int64_t run, Body body) {
    if (run == 9) {
        body(static_cast<int64_t>(9));
    } else {
        body(run);
    }
}

/** to = M ⊙ from for one group; dropped weights are +0. */
template <class From, class To>
inline void mask_weights(const Layer& layer, int64_t base, const uint8_t* mask, const From* from, To* to) {
    const int64_t n = layer.candidates, stride = layer.tensors.layout.candidate_stride;
    for_rows(layer, base, [&](int64_t row) {
        if (layer.run == 1 && stride == 1) {
            for (int64_t c = 0; c < n; ++c) {
                narrow(kept_or_zero(widened(from[row + c]), mask[c]), to[row + c]);
            }
        } else if (layer.run == 1) {
            for (int64_t c = 0; c < n; ++c) {
                const int64_t at = row + c * stride;
                narrow(kept_or_zero(widened(from[at]), mask[c]), to[at]);
            }
        } else {
            with_run(layer.run, [&](int64_t run) {
                for (int64_t c = 0; c < n; ++c) {
                    const int64_t at = row + c * stride;
                    if (mask[c] != 0) {
                        copy_run(from + at, to + at, run);
                    } else {
                        std::memset(to + at, 0, static_cast<size_t>(run) * sizeof(To));
                    }
                }
            });
        }
    });
}

/** to = from for one group. */
template <class From, class To>
inline void copy_weights(const Layer& layer, int64_t base, const From* from, To* to) {
    const int64_t n = layer.candidates, stride = layer.tensors.layout.candidate_stride;
    for_rows(layer, base, [&](int64_t row) {
        if (layer.run == stride) {
            copy_run(from + row, to + row, n * stride);
        } else {
            for (int64_t c = 0; c < n; ++c) {
                copy_run(from + row + c * stride, to + row + c * stride, layer.run);
            }
        }
    });
}

/** Σ g·W over a run: sixteen sums where it is long, else one after the other. */
template <class T>
inline float dot(const T* gradient, const float* weight, int64_t run) {
    float sum = 0;
    int64_t i = 0;
    if (run >= 2 * lanes) {
        LaneSum partial;
        for (; i + lanes <= run; i += lanes) {
            float g[lanes];
            copy_run(gradient + i, g, lanes);
            Lanes a, b;
            load(a, g);
            load(b, weight + i);
            partial.parts += a * b;
        }
        sum = partial.total();
    }
    for (; i < run; ++i) {
        sum += widened(gradient[i]) * weight[i];
    }
    return sum;
}

/** v: for every candidate of a group the sum of ∂L/∂Weff·W over its elements. */
template <class T>
inline void candidate_sums(const Layer& layer, int64_t base, const T* gradient, float* v) {
    const int64_t n = layer.candidates, stride = layer.tensors.layout.candidate_stride;
    const float* weight = layer.tensors.latent;
    std::memset(v, 0, static_cast<size_t>(n) * sizeof(float));
    for_rows(layer, base, [&](int64_t row) {
        if (layer.run == 1 && stride == 1) {
            for (int64_t c = 0; c < n; ++c) {
                v[c] += widened(gradient[row + c]) * weight[row + c];
            }
        } else {
            with_run(layer.run, [&](int64_t run) {
                for (int64_t c = 0; c < n; ++c) {
                    v[c] += dot(gradient + row + c * stride, weight + row + c * stride, run);
                }
            });
        }
    });
}

/** Calls `body` with ∂L/∂Weff in its type. */
template <class Body>
inline void with_effective_gradient(const Layer& layer, Body body) {
    if (layer.tensors.effective_type == KOFN_BFLOAT16) {
        body(static_cast<const uint16_t*>(layer.tensors.effective_gradient));
    } else {
        body(static_cast<const float*>(layer.tensors.effective_gradient));
    }
}

/** Writes the effective weights of a group. */
inline void write_effective(const Layer& layer, int64_t base, const uint8_t* mask) {
    if (layer.tensors.effective_type == KOFN_BFLOAT16) {
        mask_weights(layer, base, mask, layer.tensors.latent, static_cast<uint16_t*>(layer.tensors.effective));
    } else {
        mask_weights(layer, base, mask, layer.tensors.latent, static_cast<float*>(layer.tensors.effective));
    }
}

/** Writes ∂L/∂W of a group, if the layer has room for it. */
inline void write_latent_gradient(const Layer& layer, int64_t base, const uint8_t* mask, bool dense) {
    float* to = layer.tensors.latent_gradient;
    if (to == nullptr) {
        return;
    }
    with_effective_gradient(layer, [&](auto gradient) {
        if (dense) {
            copy_weights(layer, base, gradient, to);
        } else {
            mask_weights(layer, base, mask, gradient, to);
        }
    });
}

}  // namespace kofn::cpu::KOFN_VARIANT
