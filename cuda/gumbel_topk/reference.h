#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "../common/arithmetic.h"
#include "../common/philox.h"
#include "gumbel_topk.h"

/**
 * Gumbel top-k written plainly, one group after the other: what the contract says and nothing more. Masks of every
 * implementation must equal these bit for bit. The backward is a template; in double precision it is the oracle of the
 * gradients, on the same single-precision scores y.
 */
namespace kofn::reference {

/** Where an element of a candidate of a group lies in the weight. */
inline int64_t offset(const kofn_layout& layout, int64_t group, int64_t candidate, int64_t element) {
    int64_t at = candidate * layout.candidate_stride;
    for (int axis = 2; axis >= 0; --axis) {
        at += group % layout.group_sizes[axis] * layout.group_strides[axis];
        group /= layout.group_sizes[axis];
    }
    for (int axis = 1; axis >= 0; --axis) {
        at += element % layout.element_sizes[axis] * layout.element_strides[axis];
        element /= layout.element_sizes[axis];
    }
    return at;
}

inline int64_t groups(const kofn_layout& layout) {
    return layout.group_sizes[0] * layout.group_sizes[1] * layout.group_sizes[2];
}

inline int64_t elements(const kofn_layout& layout) {
    return layout.element_sizes[0] * layout.element_sizes[1];
}

/** The Gumbel noise of one group. */
inline std::vector<float> noise(const kofn_draw& draw, uint32_t layer, int64_t group, int64_t n) {
    std::vector<float> g(static_cast<size_t>(n), 0.0f);
    if (draw.noise == 0) {
        return g;
    }
    for (int64_t c = 0; c < n; c += 4) {
        const PhiloxWords words = philox(draw.seed, static_cast<uint32_t>(c / 4), static_cast<uint32_t>(group),
                                         draw.step, layer);
        const uint32_t word[4] = {words.x, words.y, words.z, words.w};
        for (int64_t i = 0; i < 4 && c + i < n; ++i) {
            g[c + i] = gumbel(word[i]);
        }
    }
    return g;
}

/** y of one group. */
inline std::vector<float> scores(const kofn_layer& layer, const kofn_draw& draw, int64_t group) {
    const int64_t n = layer.layout.candidates;
    std::vector<float> y = noise(draw, layer.index, group, n);
    for (int64_t c = 0; c < n; ++c) {
        y[c] = perturbed(layer.logits[group * n + c], draw.noise, y[c]);
    }
    return y;
}

/** The k largest, in descending order, ties to the lowest candidate. */
template <class T>
std::vector<int32_t> largest(const std::vector<T>& y, int64_t k) {
    std::vector<int32_t> order(y.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return y[a] > y[b]; });
    order.resize(static_cast<size_t>(k));
    return order;
}

/** ∂L/∂Weff of one weight. */
inline float effective_gradient(const kofn_layer& layer, int64_t at) {
    if (layer.effective_type == KOFN_BFLOAT16) {
        return from_bfloat16(static_cast<const uint16_t*>(layer.effective_gradient)[at]);
    }
    return static_cast<const float*>(layer.effective_gradient)[at];
}

/** Writes the effective weight from the mask. */
inline void apply(const kofn_layer& layer) {
    const kofn_layout& layout = layer.layout;
    for (int64_t g = 0; g < groups(layout); ++g) {
        for (int64_t c = 0; c < layout.candidates; ++c) {
            for (int64_t e = 0; e < elements(layout); ++e) {
                int64_t at = offset(layout, g, c, e);
                float value = layer.mask[g * layout.candidates + c] ? layer.latent[at] : 0.0f;
                if (layer.effective_type == KOFN_BFLOAT16) {
                    static_cast<uint16_t*>(layer.effective)[at] = to_bfloat16(value);
                } else {
                    static_cast<float*>(layer.effective)[at] = value;
                }
            }
        }
    }
}

/** Samples one layer; false if a score is infinite or NaN. */
inline bool sample(const kofn_layer& layer, const kofn_draw& draw) {
    const int64_t n = layer.layout.candidates;
    const int64_t words = (n + 31) / 32;
    for (int64_t g = 0; g < groups(layer.layout); ++g) {
        std::vector<float> y = scores(layer, draw, g);
        if (!std::all_of(y.begin(), y.end(), is_finite)) {
            return false;
        }
        std::vector<int32_t> kept = largest(y, layer.kept);
        std::sort(kept.begin(), kept.end());
        std::copy(kept.begin(), kept.end(), layer.indices + g * layer.kept);
        std::fill_n(layer.mask + g * n, n, uint8_t{0});
        std::fill_n(layer.bits + g * words, words, 0u);
        for (int32_t c : kept) {
            layer.mask[g * n + c] = 1;
            layer.bits[g * words + c / 32] |= 1u << (c % 32);
        }
    }
    apply(layer);
    return true;
}

/** ∂L/∂s of one group by the recurrences of gumbel_topk.h; `order` holds the winners, in descending order. */
template <class T>
std::vector<T> relaxed_gradient(const std::vector<T>& s, const std::vector<T>& v, const std::vector<int32_t>& order) {
    const size_t n = s.size(), k = order.size();
    const int32_t last = order[k - 1];
    std::vector<char> kept(n, 0);
    for (int32_t c : order) {
        kept[c] = 1;
    }
    std::vector<T> w(n), u(n);
    T normaliser = 0, difference = 0;
    for (size_t j = 0; j < n; ++j) {
        if (!kept[j]) {
            w[j] = std::exp(s[j] - s[last]);
            normaliser += w[j];
            difference += w[j] * (v[last] - v[j]);
        }
    }
    std::vector<T> D(k), X(k);
    D[k - 1] = 1 + normaliser;
    X[k - 1] = difference / D[k - 1];
    for (size_t t = k - 1; t-- > 0;) {
        int32_t here = order[t], next = order[t + 1];
        T M = std::exp(s[next] - s[here]) * D[t + 1];
        D[t] = 1 + M;
        X[t] = M / D[t] * ((v[here] - v[next]) + X[t + 1]);
    }
    T C = 1 / D[0], U = X[0] / D[0];
    u[order[0]] = U;
    for (size_t t = 1; t < k; ++t) {
        int32_t here = order[t], before = order[t - 1];
        T a = std::exp(s[here] - s[before]);
        U = X[t] / D[t] + a * ((v[here] - v[before]) * C + U);
        C = 1 / D[t] + a * C;
        u[here] = U;
    }
    for (size_t j = 0; j < n; ++j) {
        if (!kept[j]) {
            u[j] = w[j] * ((v[j] - v[last]) * C + U);
        }
    }
    return u;
}

/** ∂(β·H)/∂φ of one group, H the entropy of softmax φ. */
template <class T>
std::vector<T> entropy_gradient(const std::vector<T>& logits, T beta) {
    const T largest = *std::max_element(logits.begin(), logits.end());
    T normaliser = 0, weighted = 0;
    for (T logit : logits) {
        normaliser += std::exp(logit - largest);
        weighted += std::exp(logit - largest) * (logit - largest);
    }
    std::vector<T> gradient(logits.size());
    for (size_t j = 0; j < logits.size(); ++j) {
        // log p + H, in which the logarithm of the normaliser cancels.
        T deviation = (logits[j] - largest) - weighted / normaliser;
        gradient[j] = -beta * std::exp(logits[j] - largest) / normaliser * deviation;
    }
    return gradient;
}

/** The gradients of one group. */
template <class T>
struct GroupGradients {
    std::vector<T> logits;
    T temperature;
};

/** v of one group: Σ ∂L/∂Weff·W over the elements of each candidate. */
template <class T>
std::vector<T> candidate_sums(const kofn_layer& layer, int64_t group) {
    const kofn_layout& layout = layer.layout;
    std::vector<T> v(static_cast<size_t>(layout.candidates), 0);
    for (int64_t c = 0; c < layout.candidates; ++c) {
        for (int64_t e = 0; e < elements(layout); ++e) {
            const int64_t at = offset(layout, group, c, e);
            v[c] += static_cast<T>(effective_gradient(layer, at)) * layer.latent[at];
        }
    }
    return v;
}

/** ∂L/∂φ and ∂L/∂τ of one group from its scores and v, everything in T. */
template <class T>
GroupGradients<T> backward(const kofn_layer& layer, const kofn_draw& draw, int64_t group, const std::vector<T>& y,
                           const std::vector<T>& v) {
    const size_t n = y.size();
    const T temperature = draw.temperature;
    const float* logits = layer.logits + group * layer.layout.candidates;
    std::vector<int32_t> order = largest(y, layer.kept);
    std::vector<T> s(y);
    for (T& score : s) {
        score /= temperature;
    }
    std::vector<T> u = relaxed_gradient(s, v, order);
    std::vector<T> entropy = entropy_gradient(std::vector<T>(logits, logits + n), static_cast<T>(draw.entropy));
    GroupGradients<T> gradients{std::vector<T>(n), 0};
    const T last = s[order[order.size() - 1]];
    for (size_t c = 0; c < n; ++c) {
        gradients.logits[c] = u[c] / temperature + entropy[c];
        gradients.temperature -= u[c] * (s[c] - last) / temperature;
    }
    return gradients;
}

/** The same, of the layer's scores in single precision. */
template <class T>
GroupGradients<T> backward(const kofn_layer& layer, const kofn_draw& draw, int64_t group) {
    const std::vector<float> y = scores(layer, draw, group);
    return backward<T>(layer, draw, group, std::vector<T>(y.begin(), y.end()), candidate_sums<T>(layer, group));
}

/** Writes ∂L/∂W of one layer from its mask. */
inline void latent_gradient(const kofn_layer& layer, bool dense) {
    const kofn_layout& layout = layer.layout;
    for (int64_t g = 0; g < groups(layout); ++g) {
        for (int64_t c = 0; c < layout.candidates; ++c) {
            for (int64_t e = 0; e < elements(layout); ++e) {
                int64_t at = offset(layout, g, c, e);
                bool passes = dense || layer.mask[g * layout.candidates + c] != 0;
                layer.latent_gradient[at] = passes ? effective_gradient(layer, at) : 0.0f;
            }
        }
    }
}

}  // namespace kofn::reference
