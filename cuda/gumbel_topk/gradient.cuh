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

/**
 * (x, y) at positions 0 … count − 1, from those at 0 and the steps that lead to each other position; `visit(position, x,
 * y)` is called for each. Every thread composes the steps of positions in a row, a scan over threads says where it
 * starts, and it walks them again.
 */
template <class Real, class Team, class Step, class Visit>
__device__ __forceinline__ void recur(const Team& team, uint32_t count, Real x0, Real y0, Step step, Visit visit) {
    const uint32_t own = (count + Team::lanes - 1) / Team::lanes;
    const uint32_t begin = team.lane * own < count ? team.lane * own : count;
    const uint32_t end = begin + own < count ? begin + own : count;
    Affine<Real> steps = Affine<Real>::identity();
#pragma unroll 1
    for (uint32_t position = begin > 0 ? begin : 1; position < end; ++position) {
        steps = steps.then(step(position));
    }
    Real x = x0, y = y0;
    team.scan(steps, Affine<Real>::identity(), Compose()).apply(x, y);
#pragma unroll 1
    for (uint32_t position = begin; position < end; ++position) {
        if (position > 0) {
            step(position).apply(x, y);
        }
        visit(position, x, y);
    }
}

/**
 * exp((y − reference)/τ) for y ≤ reference. Rounding the exponent costs a relative error that grows with it (5·10⁻⁶ of the
 * gradient in a group whose exponents are near −45): what difference and quotient lose is put back to first order.
 */
struct Relaxation {
    float temperature, inverse;

    __device__ __forceinline__ float exponent(float y, float reference) const { return (y - reference) * inverse; }

    __device__ __forceinline__ float operator()(float y, float reference) const {
        float difference = y - reference;
        float subtracted = y - difference;
        float lost = (y - (difference + subtracted)) + (subtracted - reference);
        float x = difference * inverse;
        float rest = (fmaf(-x, temperature, difference) + lost) * inverse;
        float e = exp_nonpositive(x);
        return e > 0.0f ? fmaf(e, rest, e) : 0.0f;  // where e is 0 the rest may be anything
    }

    /** Between winners that follow each other: in the precision of the recurrences, which multiply all of them. */
    template <class Real>
    __device__ __forceinline__ Real step(float y, float reference) const {
        if constexpr (std::is_same_v<Real, float>) {
            return (*this)(y, reference);
        } else {
            return exp((static_cast<double>(y) - reference) / temperature);
        }
    }
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

/** Gathers the winners of a group, in no order yet, and fills up to a power of two. */
template <class Team, class TeamScores>
__device__ __forceinline__ void gather_winners(const Team& team, const Layer& layer, uint32_t group,
                                               const TeamScores& scores, const Winners& winners) {
    const uint32_t padded = Winners::padded(layer.kept);
    scores.gather(team, layer, group, winners.entries);
#pragma unroll 1
    for (uint32_t i = layer.kept + team.lane; i < padded; i += Team::lanes) {
        winners.entries[i] = BEHIND_ALL;
    }
    team.sync();
}

/** The gradients of a group by a team that keeps scores and winners in its part of shared memory. */
template <class Team>
__device__ __forceinline__ void gradient_in_shared(const Team& team, const Table& table, const Layer& layer,
                                                   uint32_t group, unsigned char* memory) {
    const ScoresInShared<Team> scores(team, Scores(layer, table.draw, group), layer, memory);
    const Winners winners = Winners::in(memory + ScoresInShared<Team>::bytes(layer.candidates), layer.kept);
    gather_winners(team, layer, group, scores, winners);
    sort(team, winners.entries, Winners::padded(layer.kept));
    gradient_of_group<float>(team, table, layer, group, scores, winners);
}

/** The shared memory of one team. */
KOFN_HD uint32_t shared_bytes_of_team(const Layer& layer) {
    return ScoresInShared<Block>::bytes(layer.candidates) + Winners::bytes(layer.kept);
}

/** v of a group into the place of its ∂L/∂φ; afterwards all threads of the block may use the shared memory anew. */
__device__ __forceinline__ void reduce_upstream_of_group(const Table& table, const Layer& layer, uint32_t group,
                                                         unsigned char* memory) {
    if (group < layer.groups && !layer.wide) {
        reduce_upstream(layer, group, threadIdx.x % layer.lanes, table.draw.dense_gradient != 0,
                        reinterpret_cast<float*>(memory),
                        layer.logit_gradient + static_cast<int64_t>(group) * layer.candidates);
    }
    __syncthreads();
}

/**
 * One launch for the gradients of all layers whose groups fit shared memory. Seven blocks a multiprocessor
 * are as many as registers allow without spills.
 */
__global__ void __launch_bounds__(BLOCK, 7) gradient(KOFN_GRID_CONSTANT(Table) table) {
    KOFN_SHARED(BlockScratch, scratch);
    KOFN_DYNAMIC_SHARED(unsigned char, memory);
    const Layer& layer = table.layer_of(blockIdx.x);
    const uint32_t team = threadIdx.x / layer.lanes;
    const uint32_t group = (blockIdx.x - layer.first_block) * (BLOCK / layer.lanes) + team;
    reduce_upstream_of_group(table, layer, group, memory);
    if (group >= layer.groups) {
        return;
    }
    unsigned char* own = memory + team * shared_bytes_of_team(layer);
    switch (layer.size) {
        case Size::tile_1: gradient_in_shared(Tile<1>(), table, layer, group, own); break;
        case Size::tile_2: gradient_in_shared(Tile<2>(), table, layer, group, own); break;
        case Size::tile_4: gradient_in_shared(Tile<4>(), table, layer, group, own); break;
        case Size::tile_8: gradient_in_shared(Tile<8>(), table, layer, group, own); break;
        case Size::tile_16: gradient_in_shared(Tile<16>(), table, layer, group, own); break;
        case Size::tile_32:
        case Size::tile_32_by_8:
        case Size::tile_32_by_16: gradient_in_shared(Tile<32>(), table, layer, group, own); break;
        default: gradient_in_shared(Block(scratch), table, layer, group, own); break;
    }
}

/**
 * The same for layers whose groups do not fit shared memory: scores are computed anew each time, winners lie in a
 * workspace. There are not as many blocks as groups, so that it stays small; a block takes group after group. This is a
 * kernel of its own since together they would need half as many registers again.
 */
__global__ void __launch_bounds__(BLOCK, 5) gradient_of_large_groups(KOFN_GRID_CONSTANT(Table) table) {
    KOFN_SHARED(BlockScratch, scratch);
    KOFN_DYNAMIC_SHARED(unsigned char, memory);
    const Layer& layer = table.layer_of(blockIdx.x);
    const uint32_t place = blockIdx.x - layer.first_block;
    const Winners winners =
        Winners::in(layer.workspace + static_cast<int64_t>(place) * Winners::bytes(layer.kept), layer.kept);
    const Block block(scratch);
    for (uint32_t group = place; group < layer.groups; group += layer.blocks) {
        reduce_upstream_of_group(table, layer, group, memory);
        const Scores scores(layer, table.draw, group);
        const ScoresRecomputed recomputed(scores, layer);
        gather_winners(block, layer, group, recomputed, winners);
        sort_large(block, winners.entries, Winners::padded(layer.kept), reinterpret_cast<uint64_t*>(memory));
        gradient_of_group<double>(block, table, layer, group, recomputed, winners);
        __syncthreads();
    }
}

/**
 * v and ∂L/∂W of wide layers: a warp for each candidate whose elements lie side by side, else a thread. In double
 * precision: the sums are long, only their differences count, and the kernel waits for memory.
 */
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
        layer.logit_gradient[worker] =
            static_cast<float>(upstream_of_candidate<double>(layer, layer.base(group), candidate, passes));
        return;
    }
    const Tile<WARP> tile;
    double v = 0;
    for (uint32_t outer = 0; outer < layer.outer; ++outer) {
        int64_t row = layer.base(group) + static_cast<int64_t>(outer) * layer.outer_stride
            + candidate * layer.candidate_stride;
#pragma unroll 4
        for (uint32_t element = tile.lane; element < layer.inner.value; element += WARP) {
            v += upstream<double>(layer, row + element, passes);
        }
    }
    v = tile.sum(v);
    if (tile.lane == 0) {
        layer.logit_gradient[worker] = static_cast<float>(v);
    }
}

}  // namespace kofn::cuda
