#pragma once

#include <type_traits>

#include "scores.cuh"
#include "select.cuh"
#include "weights.cuh"

/** The forward: scores, the k largest, the forms of the mask, effective weights. */
namespace kofn::cuda {

/** The keys of four candidates; 0 for those that do not exist. */
__device__ __forceinline__ void load_keys(const Scores& scores, uint32_t quad, uint32_t n, uint32_t (&keys)[4]) {
    Quad y{};
    if (4 * quad < n) {
        y = scores.quad(quad);
    }
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
        keys[i] = 4 * quad + i < n ? key_of(y.of[i]) : 0u;
    }
}

/** Whether the scores behind four keys are finite, of those that exist: infinities and NaN lie at both ends. */
__device__ __forceinline__ bool all_finite(const uint32_t (&keys)[4], uint32_t exist) {
    constexpr uint32_t lowest = 0x00800000u, highest = 0xFF7FFFFFu;  // keys of −FLT_MAX and FLT_MAX
    bool finite = true;
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
        finite = finite && ((exist >> i & 1u) == 0 || keys[i] - lowest <= highest - lowest);
    }
    return finite;
}

/** Tells the host of a score that is no finite number: a plain store, since all that store there store the same. */
__device__ __forceinline__ void report_unless(bool finite, const Table& table, const Layer& layer) {
    if (!finite) {
        table.not_finite[layer.number] = 1;
    }
}

/** Bits of those of four candidates that exist. */
__device__ __forceinline__ uint32_t existing(uint32_t first, uint32_t n) {
    return first >= n ? 0u : n - first >= 4 ? 0xFu : (1u << (n - first)) - 1u;
}

/** The mask bytes of four candidates. */
__device__ __forceinline__ void store_mask(const Layer& layer, uint32_t group, uint32_t first, uint32_t nibble) {
    uint8_t* mask = layer.mask + static_cast<int64_t>(group) * layer.candidates + first;
    auto bit = [nibble](unsigned i) { return static_cast<uint8_t>(nibble >> i & 1u); };
    if (layer.by_four) {
        if (first < layer.candidates) {
            *reinterpret_cast<uchar4*>(mask) = make_uchar4(bit(0), bit(1), bit(2), bit(3));
        }
        return;
    }
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
        if (first + i < layer.candidates) {
            mask[i] = bit(i);
        }
    }
}

/** The word of eight lanes' candidates: every lane has its four. */
template <class Team>
__device__ __forceinline__ void store_bits(const Team& team, const Layer& layer, uint32_t group, uint32_t first,
                                           uint32_t nibble) {
    uint32_t word = team.word_of(nibble);
    if (team.lane % 8 == 0 && first < layer.candidates) {
        layer.bits[static_cast<int64_t>(group) * layer.words + first / 32] = word;
    }
}

/**
 * For each of a thread's quads, which lie a team's width apart, what was counted before it in the group. All are counted
 * in one scan, sixteen bits each.
 */
template <class Team, int QUADS>
__device__ __forceinline__ void counts_before(const Team& team, const uint32_t (&counts)[QUADS],
                                              uint32_t (&before)[QUADS]) {
    using Packed = std::conditional_t<QUADS == 1, uint32_t, unsigned long long>;
    static_assert(QUADS <= 4 && 4 * Team::lanes < (1u << 16), "a sum needs more than its bits");
    Packed packed = 0, all;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
        packed |= static_cast<Packed>(counts[q]) << (16 * q);
    }
    packed = team.sum_before(packed, all);
    uint32_t earlier_quads = 0;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
        before[q] = earlier_quads + static_cast<uint32_t>(packed >> (16 * q) & 0xFFFFu);
        earlier_quads += static_cast<uint32_t>(all >> (16 * q) & 0xFFFFu);
    }
}

/** Samples one group by one tile: everything in registers. */
template <unsigned LANES, int QUADS>
__device__ __forceinline__ void sample_by_tile(const Table& table, const Layer& layer, uint32_t group) {
    const Tile<LANES> tile;
    const uint32_t n = layer.candidates;
    const Scores scores(layer, table.draw, group);
    uint32_t keys[QUADS][4];
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
        load_keys(scores, q * LANES + tile.lane, n, keys[q]);
    }

    uint32_t nibbles[QUADS];
    if constexpr (LANES <= 4) {
        nibbles[0] = keep_by_rank(tile, keys[0], layer.kept);
    } else {
        const Threshold threshold = bisect(tile, keys, layer.kept);
        uint32_t ties[QUADS] = {}, ties_before[QUADS] = {};
        if (threshold.ties != ALL) {
#pragma unroll
            for (int q = 0; q < QUADS; ++q) {
                ties[q] = ties_among(keys[q], threshold);
            }
            counts_before(tile, ties, ties_before);
        }
#pragma unroll
        for (int q = 0; q < QUADS; ++q) {
            nibbles[q] = keep(keys[q], threshold, ties_before[q]);
        }
    }

    uint32_t counts[QUADS], positions[QUADS];
    bool finite = true;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
        uint32_t first = 4 * (q * LANES + tile.lane);
        uint32_t exist = existing(first, n);
        finite = finite && all_finite(keys[q], exist);
        nibbles[q] &= exist;
        counts[q] = static_cast<uint32_t>(__popc(nibbles[q]));
        store_mask(layer, group, first, nibbles[q]);
        store_bits(tile, layer, group, first, nibbles[q]);
    }
    report_unless(finite, table, layer);
    counts_before(tile, counts, positions);
    int32_t* indices = layer.indices + static_cast<int64_t>(group) * layer.kept;
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
            if ((nibbles[q] >> i & 1u) != 0) {
                indices[positions[q]++] = static_cast<int32_t>(4 * (q * LANES + tile.lane) + i);
            }
        }
    }
    tile.sync();  // the bits are read next, by other lanes
}

/** Keys of a group that a block holds in registers. */
class KeysInRegisters {
public:
    __device__ __forceinline__ KeysInRegisters(const Scores& scores, uint32_t n) {
#pragma unroll
        for (uint32_t round = 0; round < rounds; ++round) {
            load_keys(scores, round * BLOCK + threadIdx.x, n, keys_[round]);
        }
    }

    /** f(quad, its keys) for the calling thread's quads, as often in every thread, though some may not exist. */
    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
#pragma unroll
        for (uint32_t round = 0; round < rounds; ++round) {
            f(round * BLOCK + threadIdx.x, keys_[round]);
        }
    }

private:
    static constexpr uint32_t rounds = MOST_IN_REGISTERS / (4 * BLOCK);
    uint32_t keys_[rounds][4];
};

/** How often a block must take four candidates a thread to have taken n. */
__device__ __forceinline__ uint32_t rounds_of(uint32_t n) {
    return (n + 4 * BLOCK - 1) / (4 * BLOCK);
}

/** Keys in shared memory; those of a quad lie apart, so that neighbouring threads use different banks. */
class KeysInShared {
public:
    __device__ __forceinline__ KeysInShared(const Scores& scores, uint32_t n, uint32_t* keys)
        : keys_(keys), rounds_(rounds_of(n)) {
        for (uint32_t round = 0; round < rounds_; ++round) {
            uint32_t four[4];
            load_keys(scores, round * BLOCK + threadIdx.x, n, four);
#pragma unroll
            for (uint32_t i = 0; i < 4; ++i) {
                keys_[(4 * round + i) * BLOCK + threadIdx.x] = four[i];
            }
        }
    }

    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
        for (uint32_t round = 0; round < rounds_; ++round) {
            uint32_t four[4];
#pragma unroll
            for (uint32_t i = 0; i < 4; ++i) {
                four[i] = keys_[(4 * round + i) * BLOCK + threadIdx.x];
            }
            f(round * BLOCK + threadIdx.x, four);
        }
    }

private:
    uint32_t* keys_;  // each thread reads what it wrote itself
    uint32_t rounds_;
};

/** Keys that are computed whenever they are asked for. */
class KeysRecomputed {
public:
    __device__ __forceinline__ KeysRecomputed(const Scores& scores, uint32_t n)
        : scores_(scores), candidates_(n), rounds_(rounds_of(n)) {}

    template <class F>
    __device__ __forceinline__ void each_quad(F f) const {
        for (uint32_t round = 0; round < rounds_; ++round) {
            uint32_t four[4];
            load_keys(scores_, round * BLOCK + threadIdx.x, candidates_, four);
            f(round * BLOCK + threadIdx.x, four);
        }
    }

private:
    const Scores& scores_;
    uint32_t candidates_, rounds_;
};

/** Writes the kept candidates of a group in ascending order, by a block, from the words it has written. */
__device__ __forceinline__ void write_indices(const Block& team, const Layer& layer, uint32_t group) {
    const uint32_t* bits = bits_of(layer, group);
    const uint32_t own = (layer.words + BLOCK - 1) / BLOCK;
    const uint32_t begin = team.lane * own;
    const uint32_t end = begin + own < layer.words ? begin + own : layer.words;
    uint32_t count = 0;
    for (uint32_t word = begin; word < end; ++word) {
        count += static_cast<uint32_t>(__popc(bits[word]));
    }
    int32_t* indices = layer.indices + static_cast<int64_t>(group) * layer.kept + team.scan(count, 0u, Sum());
    for (uint32_t word = begin; word < end; ++word) {
        for (uint32_t rest = bits[word]; rest != 0; rest &= rest - 1) {
            *indices++ = static_cast<int32_t>(32 * word) + __ffs(static_cast<int>(rest)) - 1;
        }
    }
}

/** Samples one group by a block. */
template <class Keys>
__device__ __forceinline__ void sample_by_block(const Block& team, const Table& table, const Layer& layer,
                                                uint32_t group, const Keys& keys, uint32_t* histogram, Bin& bin) {
    const uint32_t n = layer.candidates;
    const Threshold threshold = select_by_histogram(team, histogram, bin, layer.kept, [&](auto f) {
        keys.each_quad([&](uint32_t quad, const uint32_t(&four)[4]) {
            uint32_t exist = existing(4 * quad, n);
#pragma unroll
            for (uint32_t i = 0; i < 4; ++i) {
                if ((exist >> i & 1u) != 0) {
                    f(four[i]);
                }
            }
        });
    });
    uint32_t ties_before = 0;
    bool finite = true;
    keys.each_quad([&](uint32_t quad, const uint32_t(&four)[4]) {
        uint32_t exist = existing(4 * quad, n);
        finite = finite && all_finite(four, exist);
        uint32_t before = ties_before;
        if (threshold.ties != ALL) {
            uint32_t all;
            before += team.sum_before(ties_among(four, threshold), all);
            ties_before += all;
        }
        uint32_t nibble = keep(four, threshold, before) & exist;
        store_mask(layer, group, 4 * quad, nibble);
        store_bits(team, layer, group, 4 * quad, nibble);
    });
    report_unless(finite, table, layer);
    team.sync();
    write_indices(team, layer, group);
}

/** One launch samples all layers: each block works for one of them, tiles of it for a group each, or all for one. */
__global__ void __launch_bounds__(BLOCK) sample(KOFN_GRID_CONSTANT(Table) table) {
    KOFN_SHARED(BlockScratch, scratch);
    KOFN_SHARED(Bin, bin);
    KOFN_DYNAMIC_SHARED(uint32_t, memory);
    const Layer& layer = table.layer_of(blockIdx.x);
    const uint32_t group = (blockIdx.x - layer.first_block) * (BLOCK / layer.lanes) + threadIdx.x / layer.lanes;
    if (group >= layer.groups) {
        return;
    }
    const Block block(scratch);
    const Scores scores(layer, table.draw, group);
    switch (layer.size) {
        case Size::tile_1: sample_by_tile<1, 1>(table, layer, group); break;
        case Size::tile_2: sample_by_tile<2, 1>(table, layer, group); break;
        case Size::tile_4: sample_by_tile<4, 1>(table, layer, group); break;
        case Size::tile_8: sample_by_tile<8, 1>(table, layer, group); break;
        case Size::tile_16: sample_by_tile<16, 1>(table, layer, group); break;
        case Size::tile_32: sample_by_tile<32, 1>(table, layer, group); break;
        case Size::tile_32_by_8: sample_by_tile<32, 2>(table, layer, group); break;
        case Size::tile_32_by_16: sample_by_tile<32, 4>(table, layer, group); break;
        case Size::block_registers:
            sample_by_block(block, table, layer, group, KeysInRegisters(scores, layer.candidates), memory, bin);
            break;
        case Size::block_shared:
            sample_by_block(block, table, layer, group,
                            KeysInShared(scores, layer.candidates, memory + HISTOGRAM), memory, bin);
            break;
        case Size::block_recomputed:
            sample_by_block(block, table, layer, group, KeysRecomputed(scores, layer.candidates), memory, bin);
            break;
    }
    if (!layer.wide) {
        write_effective(layer, group, threadIdx.x % layer.lanes, layer.lanes);
    }
}

}  // namespace kofn::cuda
