#pragma once

#include "cpu_lanes.h"
#include "cpu_scores.h"
#include "cpu_select.h"
#include "cpu_weights.h"

/**
 * Groups of few candidates (n:m, first layers), sixteen side by side: lane l of a vector belongs to the l-th group. A
 * group of four would not fill a vector, and a resnet-18 has millions of them. Part of gumbel_topk_cpu_variant.cpp.
 */
namespace kofn::cpu::KOFN_VARIANT {

/** Whole numbers beside Lanes; comparisons of vectors give 0 or −1 a lane. */
typedef int32_t LaneInts __attribute__((vector_size(4 * lanes)));

/** Up to sixteen neighbouring groups; lanes beyond `count` compute what nobody reads. */
struct Bundle {
    int64_t first, count;
    int64_t base[lanes]; /* where the first weight of each group lies */
};

/** Calls `body` with bundles that make up the task, until it returns false; whether it never did. */
template <class Body>
inline bool for_bundles(const Task& task, Body body) {
    GroupCursor cursor(task.layer->tensors.layout, task.begin);
    for (int64_t first = task.begin; first < task.end; first += lanes) {
        Bundle bundle = {first, task.end - first < lanes ? task.end - first : lanes, {}};
        for (int64_t l = 0; l < bundle.count; ++l, cursor.advance()) {
            bundle.base[l] = cursor.base();
        }
        if (!body(bundle)) {
            return false;
        }
    }
    return true;
}

/** From [group, candidate] in memory to a vector for each candidate. */
inline void gather(const Bundle& bundle, int64_t n, const float* from, Lanes* to) {
    for (int64_t l = 0; l < lanes; ++l) {
        const float* group = from + (bundle.first + l) * n;
        for (int64_t c = 0; c < n; ++c) {
            to[c][l] = l < bundle.count ? group[c] : 0.0f;  // what lies behind the last group is not ours to read
        }
    }
}

/** The way back. */
inline void scatter(const Bundle& bundle, int64_t n, const Lanes* from, float* to) {
    for (int64_t l = 0; l < bundle.count; ++l) {
        for (int64_t c = 0; c < n; ++c) {
            to[(bundle.first + l) * n + c] = from[c][l];
        }
    }
}

/** y of a bundle. */
inline void scores_of_bundle(const Layer& layer, const kofn_draw& draw, const Bundle& bundle, Lanes* y) {
    const int64_t n = layer.candidates;
    gather(bundle, n, layer.tensors.logits, y);
    float noise[4 * lanes] = {};
    for (int64_t first = 0; first < n; first += 4) {
        if (draw.noise != 0) {
            uint32_t words[4 * lanes];
            draw_words(draw, layer.tensors.index,
                       {static_cast<uint32_t>(first / 4), static_cast<uint32_t>(bundle.first), 0, 1}, words);
            for (int64_t i = 0; i < 4 * lanes; ++i) {
                noise[i] = gumbel(words[i]);
            }
        }
        for (int64_t c = first; c < n && c < first + 4; ++c) {
            float score[lanes];
            std::memcpy(score, y + c, sizeof score);
            for (int64_t l = 0; l < lanes; ++l) {
                score[l] = perturbed(score[l], draw.noise, noise[4 * l + c - first]);
            }
            std::memcpy(y + c, score, sizeof score);
        }
    }
}

/** How many candidates come before each in descending order, ties: lowest candidate first. */
inline void rank(const Lanes* y, int64_t n, LaneInts* ranks) {
    for (int64_t c = 0; c < n; ++c) {
        LaneInts before = {};
        for (int64_t d = 0; d < c; ++d) {
            before -= y[d] >= y[c];
        }
        for (int64_t d = c + 1; d < n; ++d) {
            before -= y[d] > y[c];
        }
        ranks[c] = before;
    }
}

/** Whether all scores of a bundle are numbers. */
inline bool all_finite(const Lanes* y, int64_t n) {
    LaneInts wrong = {};
    for (int64_t c = 0; c < n; ++c) {
        LaneInts bits;
        std::memcpy(&bits, y + c, sizeof bits);
        wrong |= (bits & 0x7F800000) == 0x7F800000;
    }
    int32_t any = 0;
    for (int64_t l = 0; l < lanes; ++l) {
        any |= wrong[l];
    }
    return any == 0;
}

/** Whether a candidate is one weight, as it is in n:m that nobody shares. */
inline bool single_weights(const Layer& layer) {
    return layer.row_sizes[0] * layer.row_sizes[1] * layer.run == 1;
}

/** to = M ⊙ from for a bundle; dropped weights are +0. */
template <class From, class To>
inline void mask_bundle(const Layer& layer, const Bundle& bundle, const From* from, To* to) {
    const int64_t n = layer.candidates, stride = layer.tensors.layout.candidate_stride;
    const uint8_t* mask = layer.tensors.mask + bundle.first * n;
    for (int64_t l = 0; l < bundle.count; ++l, mask += n) {
        if (single_weights(layer)) {
            for (int64_t c = 0, at = bundle.base[l]; c < n; ++c, at += stride) {
                narrow(kept_or_zero(widened(from[at]), mask[c]), to[at]);
            }
        } else {
            mask_weights(layer, bundle.base[l], mask, from, to);
        }
    }
}

inline bool sample_small(const Task& task, const kofn_draw& draw) {
    const Layer& layer = *task.layer;
    const int64_t n = layer.candidates, k = layer.kept;
    return for_bundles(task, [&](const Bundle& bundle) {
        Lanes y[small_group];
        LaneInts ranks[small_group];
        scores_of_bundle(layer, draw, bundle, y);
        if (!all_finite(y, n)) {
            return false;
        }
        rank(y, n, ranks);
        LaneInts words = {};
        for (int64_t c = 0; c < n; ++c) {
            words |= (ranks[c] < static_cast<int32_t>(k)) & static_cast<int32_t>(1u << c);
        }
        for (int64_t l = 0; l < bundle.count; ++l) {
            const int64_t group = bundle.first + l;
            const uint32_t word = static_cast<uint32_t>(words[l]);
            uint8_t* mask = layer.tensors.mask + group * n;
            for (int64_t c = 0; c < n; ++c) {
                mask[c] = (word >> c) & 1;
            }
            layer.tensors.bits[group] = word;
            unpack_indices(word, 0, layer.tensors.indices + group * k);
        }
        if (layer.tensors.effective_type == KOFN_BFLOAT16) {
            mask_bundle(layer, bundle, layer.tensors.latent, static_cast<uint16_t*>(layer.tensors.effective));
        } else {
            mask_bundle(layer, bundle, layer.tensors.latent, static_cast<float*>(layer.tensors.effective));
        }
        return true;
    });
}

/** v of a bundle. */
template <class T>
inline void sums_of_bundle(const Layer& layer, const Bundle& bundle, const T* gradient, Lanes* v) {
    const int64_t n = layer.candidates, stride = layer.tensors.layout.candidate_stride;
    for (int64_t c = 0; c < n; ++c) {
        v[c] = Lanes{};
    }
    for (int64_t l = 0; l < bundle.count; ++l) {
        if (single_weights(layer)) {
            for (int64_t c = 0, at = bundle.base[l]; c < n; ++c, at += stride) {
                v[c][l] = widened(gradient[at]) * layer.tensors.latent[at];
            }
        } else {
            float sums[small_group];
            candidate_sums(layer, bundle.base[l], gradient, sums);
            for (int64_t c = 0; c < n; ++c) {
                v[c][l] = sums[c];
            }
        }
    }
}

/** exp of a vector whose lanes are ≤ 0. */
inline void exponentiate(Lanes& x) {
    float value[lanes];
    std::memcpy(value, &x, sizeof value);
    for (int64_t l = 0; l < lanes; ++l) {
        value[l] = exp_nonpositive(value[l]);
    }
    std::memcpy(&x, value, sizeof value);
}

/** u of a bundle, by the recurrences of gumbel_topk.h, and Σ u_j (s_j − s_k). */
inline void relaxed_gradient_of_bundle(const Lanes* y, const Lanes* v, int64_t n, int64_t k, float inverse, Lanes* u,
                                       Lanes& of_temperature) {
    LaneInts ranks[small_group];
    Lanes sorted_y[small_group] = {}, sorted_v[small_group] = {};
    rank(y, n, ranks);
    for (int64_t c = 0; c < n; ++c) {
        for (int64_t t = 0; t < k; ++t) {
            const LaneInts here = ranks[c] == static_cast<int32_t>(t);
            sorted_y[t] = here ? y[c] : sorted_y[t];
            sorted_v[t] = here ? v[c] : sorted_v[t];
        }
    }
    const Lanes zero = {}, last_y = sorted_y[k - 1], last_v = sorted_v[k - 1];
    Lanes w[small_group], normaliser = {}, difference = {};
    for (int64_t c = 0; c < n; ++c) {
        const LaneInts kept = ranks[c] < static_cast<int32_t>(k);
        w[c] = kept ? zero : (y[c] - last_y) * inverse;
        exponentiate(w[c]);
        w[c] = kept ? zero : w[c];
        normaliser += w[c];
        difference += w[c] * (last_v - v[c]);
    }
    Lanes a[small_group], D[small_group], X[small_group];
    D[k - 1] = 1.0f + normaliser;
    X[k - 1] = difference / D[k - 1];
    for (int64_t t = k - 1; t-- > 0;) {
        a[t] = (sorted_y[t + 1] - sorted_y[t]) * inverse;
        exponentiate(a[t]);
        const Lanes M = a[t] * D[t + 1];
        D[t] = 1.0f + M;
        X[t] = M / D[t] * ((sorted_v[t] - sorted_v[t + 1]) + X[t + 1]);
    }
    Lanes C = 1.0f / D[0], U = X[0] / D[0];
    X[0] = U;
    for (int64_t t = 1; t < k; ++t) {
        U = X[t] / D[t] + a[t - 1] * ((sorted_v[t] - sorted_v[t - 1]) * C + U);
        C = 1.0f / D[t] + a[t - 1] * C;
        X[t] = U;
    }
    of_temperature = zero;
    for (int64_t c = 0; c < n; ++c) {
        u[c] = w[c] * ((v[c] - last_v) * C + U);
        for (int64_t t = 0; t < k; ++t) {
            u[c] = ranks[c] == static_cast<int32_t>(t) ? X[t] : u[c];
        }
        // A difference that overflows comes with u = 0, and must not make of it a NaN.
        const Lanes product = u[c] * ((y[c] - last_y) * inverse);
        of_temperature += u[c] == zero ? zero : product;
    }
}

/** Adds ∂(β·H)/∂φ of a bundle. */
inline void add_entropy_gradient_of_bundle(const Lanes* logits, int64_t n, float beta, Lanes* gradient) {
    Lanes largest = logits[0], e[small_group], deviation[small_group], normaliser = {}, weighted = {};
    const Lanes lowest = Lanes{} - 128.0f;  // where e is long 0, and a product with it must be too
    for (int64_t c = 1; c < n; ++c) {
        largest = logits[c] > largest ? logits[c] : largest;
    }
    for (int64_t c = 0; c < n; ++c) {
        const Lanes below = logits[c] - largest;
        deviation[c] = below > lowest ? below : lowest;
        e[c] = deviation[c];
        exponentiate(e[c]);
        normaliser += e[c];
        weighted += e[c] * deviation[c];
    }
    const Lanes mean = weighted / normaliser, scale = -beta / normaliser;
    for (int64_t c = 0; c < n; ++c) {
        gradient[c] += scale * e[c] * (deviation[c] - mean);
    }
}

inline void backward_small(const Task& task, const kofn_draw& draw) {
    const Layer& layer = *task.layer;
    const int64_t n = layer.candidates;
    const float inverse = 1.0f / draw.temperature;
    for_bundles(task, [&](const Bundle& bundle) {
        Lanes y[small_group], v[small_group], gradient[small_group], of_temperature;
        scores_of_bundle(layer, draw, bundle, y);
        with_effective_gradient(layer, [&](auto upstream) { sums_of_bundle(layer, bundle, upstream, v); });
        relaxed_gradient_of_bundle(y, v, n, layer.kept, inverse, gradient, of_temperature);
        for (int64_t c = 0; c < n; ++c) {
            gradient[c] *= inverse;
        }
        if (draw.entropy != 0) {
            Lanes logits[small_group];
            gather(bundle, n, layer.tensors.logits, logits);
            add_entropy_gradient_of_bundle(logits, n, draw.entropy, gradient);
        }
        scatter(bundle, n, gradient, layer.tensors.logit_gradient);
        for (int64_t l = 0; l < bundle.count; ++l) {
            const int64_t group = bundle.first + l;
            if (layer.tensors.temperature_gradient != nullptr) {
                layer.tensors.temperature_gradient[group] = -of_temperature[l] * inverse;
            }
            write_latent_gradient(layer, bundle.base[l], layer.tensors.mask + group * n, draw.dense_gradient != 0);
        }
        return true;
    });
}

}  // namespace kofn::cpu::KOFN_VARIANT
