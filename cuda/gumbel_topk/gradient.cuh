#pragma once

#include "gradient_of_group.cuh"

/** The kernels of the backward. */
namespace kofn::cuda {

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
