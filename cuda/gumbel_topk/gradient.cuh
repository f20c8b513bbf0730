#pragma once

#include <cfloat>

#include "sample.cuh"
#include "sort.cuh"

/**
 * The backward: recurrences of gumbel_topk.h over the winners in order, as scans, and one pass over the losers before
 * and one after. With N = D·X the suffix is D_t = 1 + a·D_{t+1}, N_t = a·N_{t+1} + a·(v_t − v_{t+1})·D_{t+1}: an affine
 * step of the pair (D, N), of the same form as that of (C, U); so both are one kind of scan.
 */
namespace kofn::cuda {

/** Working memory for the winners of a group. */
struct Winners {
    uint64_t* entries;  // a power of two
    float* v;           // [k]
    float* inverse;     // [k] 1/D_t
    float* scaled;      // [k] X_t/D_t
    float* last;        // C_k and U_k

    /** The power of two that holds k entries. */
    static KOFN_HD uint32_t padded(uint32_t kept) {
        uint32_t size = 1;
        while (size < kept) {
            size *= 2;
        }
        return size;
    }

    static KOFN_HD uint32_t bytes(uint32_t kept) { return (8 * padded(kept) + 12 * kept + 8 + 15) / 16 * 16; }

    static __device__ __forceinline__ Winners in(unsigned char* memory, uint32_t kept) {
        uint64_t* entries = reinterpret_cast<uint64_t*>(memory);
        float* floats = reinterpret_cast<float*>(entries + padded(kept));
        return {entries, floats, floats + kept, floats + 2 * kept, floats + 3 * kept};
    }
};

/** Scores that a team holds in registers. */
template <class Team, int QUADS>
class ScoresInRegisters {
public:
    __device__ __forceinline__ ScoresInRegisters(const Team& team, const Scores& scores, const Layer& layer)
        : lane_(team.lane) {
#pragma unroll
        for (uint32_t q = 0; q < QUADS; ++q) {
            quads_[q] = 4 * (q * Team::lanes + lane_) < layer.candidates ? scores.quad(q * Team::lanes + lane_) : Quad{};
        }
    }

    /** f(quad, its scores) for the quads of the calling thread. */
    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
#pragma unroll
        for (uint32_t q = 0; q < QUADS; ++q) {
            f(q * Team::lanes + lane_, quads_[q]);
        }
    }

    /** Writes the entries of the winners, in ascending order of candidates. */
    __device__ __forceinline__ void gather(const Team& team, const Layer& layer, uint32_t group,
                                           uint64_t* entries) const {
        const uint32_t* bits = bits_of(layer, group);
        uint32_t nibbles[QUADS], counts[QUADS], positions[QUADS];
#pragma unroll
        for (uint32_t q = 0; q < QUADS; ++q) {
            uint32_t first = 4 * (q * Team::lanes + lane_);
            nibbles[q] = first < layer.candidates ? bits[first / 32] >> first % 32 & 0xFu : 0u;
            counts[q] = static_cast<uint32_t>(__popc(nibbles[q]));
        }
        counts_before(team, counts, positions);
#pragma unroll
        for (uint32_t q = 0; q < QUADS; ++q) {
#pragma unroll
            for (uint32_t i = 0; i < 4; ++i) {
                if ((nibbles[q] >> i & 1u) != 0) {
                    entries[positions[q]++] = entry_of(key_of(quads_[q].of[i]), 4 * (q * Team::lanes + lane_) + i);
                }
            }
        }
    }

private:
    const uint32_t lane_;
    Quad quads_[QUADS];
};

/** Scores that are computed whenever they are asked for, by a block. */
class ScoresRecomputed {
public:
    __device__ __forceinline__ ScoresRecomputed(const Scores& scores, const Layer& layer)
        : scores_(scores), quads_((layer.candidates + 3) / 4) {}

    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
        for (uint32_t quad = threadIdx.x; quad < quads_; quad += BLOCK) {
            f(quad, scores_.quad(quad));
        }
    }

    __device__ __forceinline__ void gather(const Block& team, const Layer& layer, uint32_t group,
                                           uint64_t* entries) const {
        const int32_t* indices = layer.indices + static_cast<int64_t>(group) * layer.kept;
        for (uint32_t i = team.lane; i < layer.kept; i += BLOCK) {
            uint32_t candidate = static_cast<uint32_t>(indices[i]);
            entries[i] = entry_of(key_of(scores_.one(candidate)), candidate);
        }
    }

private:
    const Scores& scores_;
    uint32_t quads_;
};

/**
 * (x, y) at positions 0 … count − 1, from those at 0 and the steps that lead to each other position; `visit(position, x,
 * y)` is called for each. Every thread composes the steps of positions in a row, a scan over threads says where it
 * starts, and it walks them again.
 */
template <class Team, class Step, class Visit>
__device__ __forceinline__ void recur(const Team& team, uint32_t count, float x0, float y0, Step step, Visit visit) {
    const uint32_t own = (count + Team::lanes - 1) / Team::lanes;
    const uint32_t begin = team.lane * own < count ? team.lane * own : count;
    const uint32_t end = begin + own < count ? begin + own : count;
    Affine steps = Affine::identity();
    for (uint32_t position = begin > 0 ? begin : 1; position < end; ++position) {
        steps = steps.then(step(position));
    }
    const Affine before = team.scan(steps, Affine::identity(), Compose());
    float x = fmaf(before.a, x0, before.b);
    float y = fmaf(before.a, y0, fmaf(before.p, x0, before.q));
    for (uint32_t position = begin; position < end; ++position) {
        if (position > 0) {
            const Affine next = step(position);
            y = fmaf(next.a, y, fmaf(next.p, x, next.q));
            x = fmaf(next.a, x, next.b);
        }
        visit(position, x, y);
    }
}

/** What the entropy's gradient needs of a group's softmax. */
struct Softmax {
    float largest = 0.0f, inverse = 0.0f, mean = 0.0f;  // max φ, 1/Σ exp(φ − max), Σ p·(φ − max)
};

template <class Team>
__device__ __forceinline__ Softmax softmax_of(const Team& team, const Layer& layer, const float* logits) {
    const uint32_t n = layer.candidates;
    float largest = -FLT_MAX;
    for (uint32_t first = 4 * team.lane; first < n; first += 4 * Team::lanes) {
        Quad phi = load_quad(logits, first, n, layer.by_four);
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            largest = first + i < n && phi.of[i] > largest ? phi.of[i] : largest;
        }
    }
    largest = team.largest(largest);
    float normaliser = 0.0f, weighted = 0.0f;
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

/** The gradients of one group; v is in the place of ∂L/∂φ and is overwritten. */
template <class Team, class TeamScores>
__device__ __forceinline__ void gradient_of_group(const Team& team, const Table& table, const Layer& layer,
                                                  uint32_t group, const TeamScores& scores, const Winners& winners) {
    const uint32_t n = layer.candidates;
    const uint32_t k = layer.kept;
    const float per_temperature = 1.0f / table.draw.temperature;
    const uint32_t* bits = bits_of(layer, group);
    float* gradient = layer.logit_gradient + static_cast<int64_t>(group) * n;
    const uint64_t* order = winners.entries;
    auto winner_score = [order](uint32_t t) { return score_of(key_of_entry(order[t])); };

    for (uint32_t t = team.lane; t < k; t += Team::lanes) {
        winners.v[t] = gradient[candidate_of_entry(order[t])];
    }
    team.sync();
    const float y_k = winner_score(k - 1);
    const float v_k = winners.v[k - 1];

    float weight_sum = 0.0f, difference_sum = 0.0f;
    scores.each_quad([&](uint32_t quad, const Quad& y) {
        Quad v = load_quad(gradient, 4 * quad, n, layer.by_four);
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            uint32_t candidate = 4 * quad + i;
            if (candidate < n && !is_kept(bits, candidate)) {
                float w = exp_nonpositive((y.of[i] - y_k) * per_temperature);
                weight_sum += w;
                difference_sum = fmaf(w, v_k - v.of[i], difference_sum);
            }
        }
    });
    weight_sum = team.sum(weight_sum);
    difference_sum = team.sum(difference_sum);

    // a, from position t to t + 1 of the order or back.
    auto ratio = [&](uint32_t t) {
        return exp_nonpositive((winner_score(t + 1) - winner_score(t)) * per_temperature);
    };
    recur(
        team, k, 1.0f + weight_sum, difference_sum,
        [&](uint32_t position) {
            uint32_t t = k - 1 - position;
            float a = ratio(t);
            return Affine{a, 1.0f, a * (winners.v[t] - winners.v[t + 1]), 0.0f};
        },
        [&](uint32_t position, float d, float product) {
            uint32_t t = k - 1 - position;
            winners.inverse[t] = 1.0f / d;
            winners.scaled[t] = product / d / d;
        });
    team.sync();
    float temperature_sum = 0.0f;
    recur(
        team, k, winners.inverse[0], winners.scaled[0],
        [&](uint32_t t) {
            float a = ratio(t - 1);
            return Affine{a, winners.inverse[t], a * (winners.v[t] - winners.v[t - 1]), winners.scaled[t]};
        },
        [&](uint32_t t, float c, float u) {
            gradient[candidate_of_entry(order[t])] = u * per_temperature;
            temperature_sum = fmaf(u, (winner_score(t) - y_k) * per_temperature, temperature_sum);
            if (t == k - 1) {
                winners.last[0] = c;
                winners.last[1] = u;
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
                float s = (y.of[i] - y_k) * per_temperature;
                float u = exp_nonpositive(s) * fmaf(out.of[i] - v_k, c_k, u_k);
                temperature_sum = fmaf(u, s, temperature_sum);
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
            layer.temperature_gradient[group] = -per_temperature * temperature_sum;
        }
    }
}

/** Gathers the winners of a group, sorts them, and goes on to the gradients. */
template <class Team, class TeamScores>
__device__ __forceinline__ void gradient_with(const Team& team, const Table& table, const Layer& layer, uint32_t group,
                                              const TeamScores& scores, const Winners& winners) {
    const uint32_t padded = Winners::padded(layer.kept);
    scores.gather(team, layer, group, winners.entries);
    for (uint32_t i = layer.kept + team.lane; i < padded; i += Team::lanes) {
        winners.entries[i] = BEHIND_ALL;
    }
    team.sync();
    if constexpr (std::is_same_v<TeamScores, ScoresRecomputed>) {
        if (padded > MOST_SORTED_IN_SHARED) {
            KOFN_DYNAMIC_SHARED(uint64_t, part);
            sort_large(team, winners.entries, padded, part);
        } else {
            sort(team, winners.entries, padded);
        }
    } else {
        sort(team, winners.entries, padded);
    }
    gradient_of_group(team, table, layer, group, scores, winners);
}

template <unsigned LANES, int QUADS>
__device__ __forceinline__ void gradient_by_tile(const Table& table, const Layer& layer, uint32_t group,
                                                 const Winners& winners) {
    const Tile<LANES> tile;
    const Scores scores(layer, table.draw, group);
    gradient_with(tile, table, layer, group, ScoresInRegisters<Tile<LANES>, QUADS>(tile, scores, layer), winners);
}

/**
 * One launch for the gradients of all layers. Blocks with a workspace, of which there are not as many as groups, take
 * group after group; all others have one round.
 */
__global__ void __launch_bounds__(BLOCK) gradient(KOFN_GRID_CONSTANT(Table) table) {
    KOFN_SHARED(BlockScratch, scratch);
    KOFN_DYNAMIC_SHARED(unsigned char, memory);
    const Layer& layer = table.layer_of(blockIdx.x);
    const uint32_t teams = BLOCK / layer.lanes;
    const uint32_t team = threadIdx.x / layer.lanes;
    const uint32_t block = blockIdx.x - layer.first_block;
    const Winners winners =
        layer.workspace != nullptr
            ? Winners::in(layer.workspace + static_cast<int64_t>(block) * layer.workspace_stride, layer.kept)
            : Winners::in(memory + team * Winners::bytes(layer.kept), layer.kept);
    const Block all(scratch);
    for (uint32_t first = block * teams; first < layer.groups; first += layer.blocks * teams) {
        const uint32_t group = first + team;
        if (group < layer.groups && !layer.wide) {
            reduce_upstream(layer, group, threadIdx.x % layer.lanes, table.draw.dense_gradient != 0,
                            reinterpret_cast<float*>(memory),
                            layer.logit_gradient + static_cast<int64_t>(group) * layer.candidates);
        }
        __syncthreads();  // v is complete, and its working memory becomes that of the winners
        if (group < layer.groups) {
            const Scores scores(layer, table.draw, group);
            switch (layer.size) {
                case Size::tile_1: gradient_by_tile<1, 1>(table, layer, group, winners); break;
                case Size::tile_2: gradient_by_tile<2, 1>(table, layer, group, winners); break;
                case Size::tile_4: gradient_by_tile<4, 1>(table, layer, group, winners); break;
                case Size::tile_8: gradient_by_tile<8, 1>(table, layer, group, winners); break;
                case Size::tile_16: gradient_by_tile<16, 1>(table, layer, group, winners); break;
                case Size::tile_32: gradient_by_tile<32, 1>(table, layer, group, winners); break;
                case Size::tile_32_by_8: gradient_by_tile<32, 2>(table, layer, group, winners); break;
                case Size::tile_32_by_16: gradient_by_tile<32, 4>(table, layer, group, winners); break;
                case Size::block_registers:
                    gradient_with(all, table, layer, group, ScoresInRegisters<Block, 4>(all, scores, layer), winners);
                    break;
                case Size::block_shared:
                case Size::block_recomputed:
                    gradient_with(all, table, layer, group, ScoresRecomputed(scores, layer), winners);
                    break;
            }
        }
        __syncthreads();
    }
}

/** v and ∂L/∂W of wide layers: a warp for each candidate whose elements lie side by side, else a thread. */
__global__ void __launch_bounds__(BLOCK) reduce_wide(KOFN_GRID_CONSTANT(Table) table) {
    const Layer& layer = table.layer_of(blockIdx.x);
    const bool dense = table.draw.dense_gradient != 0;
    const uint32_t worker = ((blockIdx.x - layer.first_block) * BLOCK + threadIdx.x) / layer.lanes;
    if (worker >= layer.groups * layer.candidates) {
        return;
    }
    const uint32_t group = worker / layer.candidates;
    const uint32_t candidate = worker - group * layer.candidates;
    const bool passes = dense || is_kept(bits_of(layer, group), candidate);
    if (layer.lanes == 1) {
        layer.logit_gradient[worker] = upstream_of_candidate(layer, layer.base(group), candidate, passes);
        return;
    }
    const Tile<WARP> tile;
    float v = 0.0f;
    for (uint32_t outer = 0; outer < layer.outer; ++outer) {
        int64_t row = layer.base(group) + static_cast<int64_t>(outer) * layer.outer_stride
            + candidate * layer.candidate_stride;
#pragma unroll 4
        for (uint32_t element = tile.lane; element < layer.inner.value; element += WARP) {
            v += upstream(layer, row + element, passes);
        }
    }
    v = tile.sum(v);
    if (tile.lane == 0) {
        layer.logit_gradient[worker] = v;
    }
}

}  // namespace kofn::cuda
