#pragma once

#include "recurrence.cuh"

/** The backward of one group: the recurrences over its winners, and a pass over its losers before and after. */
namespace kofn::cuda {

/**
 * Scores that a team keeps in shared memory: in registers, with loops unrolled over them, the kernel would need 128 a
 * thread and leave the GPU half empty. Every thread reads what it wrote itself.
 */
template <class Team>
class ScoresInShared {
public:
    static KOFN_HD uint32_t bytes(uint32_t candidates) { return (candidates + 3) / 4 * sizeof(float4); }

    __device__ __forceinline__ ScoresInShared(const Team& team, const Scores& scores, const Layer& layer,
                                              unsigned char* memory)
        : lane_(team.lane), quads_((layer.candidates + 3) / 4), scores_(reinterpret_cast<float4*>(memory)) {
#pragma unroll 1
        for (uint32_t quad = lane_; quad < quads_; quad += Team::lanes) {
            Quad y = scores.quad(quad);
            scores_[quad] = make_float4(y.of[0], y.of[1], y.of[2], y.of[3]);
        }
    }

    /** f(quad, its scores) for the quads of the calling thread. */
    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
#pragma unroll 1  // registers are scarcer than instructions in flight
        for (uint32_t quad = lane_; quad < quads_; quad += Team::lanes) {
            float4 y = scores_[quad];
            f(quad, Quad{{y.x, y.y, y.z, y.w}});
        }
    }

    /** Writes the entries of the winners, in ascending order of candidates. */
    __device__ __forceinline__ void gather(const Team& team, const Layer& layer, uint32_t group,
                                           uint64_t* entries) const {
        const uint32_t* bits = bits_of(layer, group);
#pragma unroll 1
        for (uint32_t start = 0; start < quads_; start += Team::lanes) {
            const uint32_t quad = start + lane_;
            const uint32_t nibble = quad < quads_ ? bits[quad / 8] >> quad % 8 * 4 & 0xFu : 0u;
            const float4 y = quad < quads_ ? scores_[quad] : float4{};
            const float of[4] = {y.x, y.y, y.z, y.w};
            uint32_t all;
            uint32_t position = team.sum_before(static_cast<uint32_t>(__popc(nibble)), all);
#pragma unroll
            for (uint32_t i = 0; i < 4; ++i) {
                if ((nibble >> i & 1u) != 0) {
                    entries[position++] = entry_of(key_of(of[i]), 4 * quad + i);
                }
            }
            entries += all;
        }
    }

private:
    const uint32_t lane_, quads_;
    float4* const scores_;
};

/** Scores that are computed whenever they are asked for, by a block. */
class ScoresRecomputed {
public:
    __device__ __forceinline__ ScoresRecomputed(const Scores& scores, const Layer& layer)
        : scores_(scores), quads_((layer.candidates + 3) / 4) {}

    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
#pragma unroll 1  // registers are scarcer than instructions in flight
        for (uint32_t quad = threadIdx.x; quad < quads_; quad += BLOCK) {
            f(quad, scores_.quad(quad));
        }
    }

    __device__ __forceinline__ void gather(const Block& team, const Layer& layer, uint32_t group,
                                           uint64_t* entries) const {
        const int32_t* indices = layer.indices + static_cast<int64_t>(group) * layer.kept;
#pragma unroll 1
        for (uint32_t i = team.lane; i < layer.kept; i += BLOCK) {
            uint32_t candidate = static_cast<uint32_t>(indices[i]);
            entries[i] = entry_of(key_of(scores_.one(candidate)), candidate);
        }
    }

private:
    const Scores& scores_;
    uint32_t quads_;
};

/** What the entropy's gradient needs of a group's softmax. */
struct Softmax {
    float largest = 0.0f, inverse = 0.0f, mean = 0.0f;  // max φ, 1/Σ exp(φ − max), Σ p·(φ − max)
};

template <class Team>
__device__ __forceinline__ Softmax softmax_of(const Team& team, const Layer& layer, const float* logits) {
    const uint32_t n = layer.candidates;
    float largest = -FLT_MAX;
#pragma unroll 1
    for (uint32_t first = 4 * team.lane; first < n; first += 4 * Team::lanes) {
        Quad phi = load_quad(logits, first, n, layer.by_four);
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            largest = first + i < n && phi.of[i] > largest ? phi.of[i] : largest;
        }
    }
    largest = team.largest(largest);
    float normaliser = 0.0f, weighted = 0.0f;
#pragma unroll 1
    for (uint32_t first = 4 * team.lane; first < n; first += 4 * Team::lanes) {
        Quad phi = load_quad(logits, first, n, layer.by_four);
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            float below = phi.of[i] - largest;
            float weight = first + i < n ? exp_nonpositive(below) : 0.0f;
            normaliser += weight;
            weighted = weight > 0.0f ? fmaf(weight, below, weighted) : weighted;
        }
    }
    float inverse = 1.0f / team.sum(normaliser);
    return {largest, inverse, team.sum(weighted) * inverse};
}

/**
 * The gradients of one group; v is in the place of ∂L/∂φ and is overwritten. Sums and recurrences are of the type Real:
 * with n = 2²⁰ single precision is off by 1.3·10⁻⁴ of the largest gradient, double by 6·10⁻⁶.
 */
template <class Real, class Team, class TeamScores>
__device__ __forceinline__ void gradient_of_group(const Team& team, const Table& table, const Layer& layer,
                                                  uint32_t group, const TeamScores& scores, const Winners& winners) {
    const uint32_t n = layer.candidates;
    const uint32_t k = layer.kept;
    const float per_temperature = 1.0f / table.draw.temperature;
    const Relaxation relaxed{table.draw.temperature, per_temperature};
    const uint32_t* bits = bits_of(layer, group);
    float* gradient = layer.logit_gradient + static_cast<int64_t>(group) * n;
    const uint64_t* order = winners.entries;
    auto winner_score = [order](uint32_t t) { return score_of(key_of_entry(order[t])); };

#pragma unroll 1
    for (uint32_t t = team.lane; t < k; t += Team::lanes) {
        winners.v[t] = gradient[candidate_of_entry(order[t])];
    }
    team.sync();
    const float y_k = winner_score(k - 1);
    const float v_k = winners.v[k - 1];

    Real weight_sum = 0, difference_sum = 0;
    scores.each_quad([&](uint32_t quad, const Quad& y) {
        Quad v = load_quad(gradient, 4 * quad, n, layer.by_four);
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            uint32_t candidate = 4 * quad + i;
            if (candidate < n && !is_kept(bits, candidate)) {
                float w = relaxed(y.of[i], y_k);
                weight_sum += w;
                difference_sum += w * (v_k - v.of[i]);
            }
        }
    });
    weight_sum = team.sum(weight_sum);
    difference_sum = team.sum(difference_sum);

    // a, from position t to t + 1 of the order or back.
    auto ratio = [&](uint32_t t) { return relaxed.step<Real>(winner_score(t + 1), winner_score(t)); };
    recur<Real>(
        team, k, 1 + weight_sum, difference_sum,
        [&](uint32_t position) {
            uint32_t t = k - 1 - position;
            Real a = ratio(t);
            return Affine<Real>{a, 1, a * (winners.v[t] - winners.v[t + 1]), 0};
        },
        [&](uint32_t position, Real d, Real product) {
            uint32_t t = k - 1 - position;
            winners.inverse[t] = static_cast<float>(1 / d);
            winners.scaled[t] = static_cast<float>(product / d / d);
        });
    team.sync();
    Real temperature_sum = 0;
    recur<Real>(
        team, k, winners.inverse[0], winners.scaled[0],
        [&](uint32_t t) {
            Real a = ratio(t - 1);
            return Affine<Real>{a, winners.inverse[t], a * (winners.v[t] - winners.v[t - 1]), winners.scaled[t]};
        },
        [&](uint32_t t, Real c, Real u) {
            gradient[candidate_of_entry(order[t])] = static_cast<float>(u) * per_temperature;
            temperature_sum += u * relaxed.exponent(winner_score(t), y_k);
            if (t == k - 1) {
                winners.last[0] = static_cast<float>(c);
                winners.last[1] = static_cast<float>(u);
            }
        });
    team.sync();
    const float c_k = winners.last[0];
    const float u_k = winners.last[1];

    const float* logits = layer.logits + static_cast<int64_t>(group) * n;
    const float beta = table.draw.entropy;
    const Softmax softmax = beta != 0.0f ? softmax_of(team, layer, logits) : Softmax{};
    scores.each_quad([&](uint32_t quad, const Quad& y) {
        Quad out = load_quad(gradient, 4 * quad, n, layer.by_four);
        Quad phi = beta != 0.0f ? load_quad(logits, 4 * quad, n, layer.by_four) : Quad{};
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            uint32_t candidate = 4 * quad + i;
            if (candidate < n && !is_kept(bits, candidate)) {
                float u = relaxed(y.of[i], y_k) * fmaf(out.of[i] - v_k, c_k, u_k);
                temperature_sum += u * relaxed.exponent(y.of[i], y_k);
                out.of[i] = u * per_temperature;
            }
            if (beta != 0.0f) {
                float below = phi.of[i] - softmax.largest;
                float p = exp_nonpositive(below) * softmax.inverse;
                out.of[i] = p > 0.0f ? fmaf(-beta * p, below - softmax.mean, out.of[i]) : out.of[i];
            }
        }
        store_quad(gradient, 4 * quad, n, layer.by_four, out);
    });
    if (layer.temperature_gradient != nullptr) {
        temperature_sum = team.sum(temperature_sum);
        if (team.lane == 0) {
            layer.temperature_gradient[group] = -per_temperature * static_cast<float>(temperature_sum);
        }
    }
}

}  // namespace kofn::cuda
