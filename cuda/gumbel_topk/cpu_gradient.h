#pragma once

#include "cpu_lanes.h"
#include "cpu_sort.h"

/** The gradient of a group's relaxed sample: the recurrences of gumbel_topk.h. Part of gumbel_topk_cpu_variant.cpp. */
namespace kofn::cpu::KOFN_VARIANT {

/** What a group's gradient is computed in. */
struct GradientScratch {
    float* y; /* scores */
    float* v; /* sums of ∂L/∂Weff·W */
    float* w; /* weights of the losers; 0 at the winners */
    Winner* winners;
    Winner* sorting;
    float* ds; /* s_{t+1} − s_t */
    float* dv; /* v_{t+1} − v_t */
    double* a; /* exp(ds) */
    double* inverse_D;
    double* X;

    GradientScratch(Scratch& scratch, int64_t n, int64_t k)
        : y(scratch.take<float>(n)),
          v(scratch.take<float>(n)),
          w(scratch.take<float>(n)),
          winners(scratch.take<Winner>(k)),
          sorting(scratch.take<Winner>(k)),
          ds(scratch.take<float>(k)),
          dv(scratch.take<float>(k)),
          a(scratch.take<double>(k)),
          inverse_D(scratch.take<double>(k)),
          X(scratch.take<double>(k)) {}
};
static_assert(3 * sizeof(float) + 2 * sizeof(Winner) + 2 * sizeof(float) + 3 * sizeof(double) == 60,
              "what scratch_bytes counts on");

/** Fills up to a whole vector. */
inline void pad(float* values, int64_t n, float value) {
    for (int64_t i = n; i < padded(n); ++i) {
        values[i] = value;
    }
}

/**
 * exp of the step between neighbours in order. Among thousands of winners most steps are tiny and their exponentials
 * just below 1, where single precision keeps little of the step; thousands of such roundings would add up.
 */
inline double exp_of_step(float x) {
    const double fine = static_cast<double>(x);
    const double series = 1 + fine * (1 + fine * (0.5 + fine * (1.0 / 6)));  // within x⁴/24 < 2e-10
    return x > -0x1p-7f ? series : static_cast<double>(exp_nonpositive(x));
}

/**
 * The recurrences over the winners, which stand in descending order; leaves u of the winners in X and returns C of the
 * last. In double precision, which costs a processor no more here: each step waits for the one before.
 */
inline double gradient_of_winners(const GradientScratch& s, const Winner* order, int64_t k, double normaliser,
                                  double difference, float inverse_temperature) {
    for (int64_t t = 0; t + 1 < k; ++t) {
        const int32_t here = order[t].candidate, next = order[t + 1].candidate;
        s.ds[t] = (s.y[next] - s.y[here]) * inverse_temperature;
        s.dv[t] = s.v[next] - s.v[here];
    }
    for (int64_t t = 0; t + 1 < k; ++t) {
        s.a[t] = exp_of_step(s.ds[t]);
    }
    double D = 1 + normaliser;
    s.inverse_D[k - 1] = 1 / D;
    s.X[k - 1] = difference / D;
    for (int64_t t = k - 1; t-- > 0;) {
        const double M = s.a[t] * D;
        D = 1 + M;
        s.inverse_D[t] = 1 / D;
        s.X[t] = M * s.inverse_D[t] * (s.X[t + 1] - static_cast<double>(s.dv[t]));
    }
    double C = s.inverse_D[0], U = s.X[0] * C;
    s.X[0] = U;
    for (int64_t t = 1; t < k; ++t) {
        // Of what one step hands to the next, U and C, each takes part in one product and one sum.
        const double a = s.a[t - 1], dv = static_cast<double>(s.dv[t - 1]);
        U = (s.X[t] * s.inverse_D[t] + a * dv * C) + a * U;
        C = s.inverse_D[t] + a * C;
        s.X[t] = U;
    }
    return C;
}

/** Writes u/τ of a group from its scores and v, and returns ∂L/∂τ if asked, else 0. */
inline float relaxed_gradient(const GradientScratch& s, const int32_t* indices, int64_t n, int64_t k,
                              float temperature, bool of_temperature, float* gradient) {
    const float inverse = 1.0f / temperature;
    const Winner* order = sort_winners(s.y, indices, k, s.winners, s.sorting);
    const float last_y = s.y[order[k - 1].candidate], last_v = s.v[order[k - 1].candidate];
    for (int64_t j = 0; j < n; ++j) {
        s.w[j] = exp_nonpositive((s.y[j] - last_y) * inverse);
    }
    for (int64_t i = 0; i < k; ++i) {
        s.w[indices[i]] = 0;
    }
    pad(s.w, n, 0);
    pad(s.v, n, 0);
    double normaliser, difference;
    sum_pairs(n, normaliser, difference, [&](int64_t j, Lanes& weights, Lanes& weighted) {
        Lanes w, v;
        load(w, s.w + j);
        load(v, s.v + j);
        weights += w;
        weighted += w * (last_v - v);
    });
    const float C = static_cast<float>(gradient_of_winners(s, order, k, normaliser, difference, inverse));
    const float U = static_cast<float>(s.X[k - 1]);
    for (int64_t j = 0; j < n; ++j) {
        gradient[j] = s.w[j] * ((s.v[j] - last_v) * C + U) * inverse;
    }
    for (int64_t t = 0; t < k; ++t) {
        gradient[order[t].candidate] = static_cast<float>(s.X[t]) * inverse;
    }
    if (!of_temperature) {
        return 0;
    }
    // The winners' differences are summed apart; here only losers have a weight. A difference beyond the largest number
    // has weight 0, and must stay finite for that.
    double losers, unused;
    pad(s.y, n, last_y);
    sum_pairs(n, losers, unused, [&](int64_t j, Lanes& sum, Lanes&) {
        for (int64_t l = 0; l < lanes; ++l) {
            const float w = s.w[j + l];
            const float x = w > 0 ? (s.y[j + l] - last_y) * inverse : 0.0f;
            sum[l] += w * ((s.v[j + l] - last_v) * C + U) * x;
        }
    });
    double winners = 0;
    for (int64_t t = 0; t < k; ++t) {
        winners += s.X[t] * ((static_cast<double>(s.y[order[t].candidate]) - last_y) * inverse);
    }
    return static_cast<float>(-(losers + winners) * inverse);
}

/** Adds ∂(β·H)/∂φ, H the entropy of softmax φ; `e` has room for a group. */
inline void add_entropy_gradient(const float* logits, int64_t n, float beta, float* e, float* deviation,
                                 float* gradient) {
    float largest = logits[0];
    for (int64_t j = 0; j < n; ++j) {
        largest = logits[j] > largest ? logits[j] : largest;
    }
    for (int64_t j = 0; j < n; ++j) {
        const float below = logits[j] - largest;
        deviation[j] = below > -128.0f ? below : -128.0f;  // e is 0 long before; a product with it must be too
        e[j] = exp_nonpositive(below);
    }
    pad(e, n, 0);
    pad(deviation, n, 0);
    double normaliser, weighted;
    sum_pairs(n, normaliser, weighted, [&](int64_t j, Lanes& sum, Lanes& product) {
        Lanes weight, below;
        load(weight, e + j);
        load(below, deviation + j);
        sum += weight;
        product += weight * below;
    });
    const float mean = static_cast<float>(weighted / normaliser);
    const float scale = static_cast<float>(-static_cast<double>(beta) / normaliser);
    for (int64_t j = 0; j < n; ++j) {
        gradient[j] += scale * e[j] * (deviation[j] - mean);
    }
}

}  // namespace kofn::cpu::KOFN_VARIANT
