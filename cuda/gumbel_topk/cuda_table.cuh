#pragma once

#include <cstdint>

#include "../common/host_device.h"
#include "../common/layer.h"
#include "gumbel_topk.h"

/**
 * The table of layers that a launch takes as its parameter. A parameter needs no memory of its own: nothing to copy
 * before the launch, nothing that a later call could overwrite while the GPU still reads it, and every thread reads it
 * through the constant cache. Since CUDA 12.1 parameters may have 32,764 bytes; more layers than fit take a launch more.
 */
namespace kofn::cuda {

constexpr unsigned BLOCK = 128;  // threads
constexpr unsigned WARP = 32;
constexpr unsigned LAYERS = 64;  // a launch

/** Division by a number known to the host: one wide multiplication and a shift (Granlund and Montgomery, 1994). */
struct Divisor {
    uint32_t value, multiplier, shift;

    static Divisor of(uint32_t value) {
        uint32_t log = 0;
        while ((uint64_t{1} << log) < value) {
            ++log;
        }
        uint64_t multiplier = ((uint64_t{1} << (31 + log)) + value - 1) / value;
        return {value, static_cast<uint32_t>(multiplier), 31 + log};
    }

    /** x / value for x < 2³¹. */
    KOFN_HD uint32_t divide(uint32_t x) const {
        return static_cast<uint32_t>((static_cast<uint64_t>(x) * multiplier) >> shift);
    }
};

/** Which threads sample a group, and where its keys are meanwhile (those of `gradient` are never in registers). */
enum class Size : uint32_t {
    tile_1, tile_2, tile_4, tile_8, tile_16, tile_32,  // so many lanes with 4 candidates each
    tile_32_by_8, tile_32_by_16,                       // a warp with 8 or 16 candidates a lane
    block_registers,                                   // a block with 16 candidates a thread
    block_shared,                                      // a block, keys in shared memory
    block_recomputed                                   // a block, keys computed anew each time
};

constexpr uint32_t MOST_IN_REGISTERS = 2048;
constexpr uint32_t MOST_IN_SHARED = 8192;  // 32 KiB of keys beside the histogram's 8
constexpr uint32_t MOST_SORTED_IN_SHARED = 2048;
constexpr uint32_t MOST_SHARED = 48 * 1024 - 128;  // what a kernel gets without asking, less its own variables
constexpr uint32_t HISTOGRAM = 2048;  // bins: 11 bits of a key a pass
constexpr uint32_t STAGED = 512;  // products ∂L/∂Weff·W that a warp stages in shared memory
constexpr uint32_t WIDE = 512;  // weights a thread beyond which a group's elements are the work of a launch of their own

/** One layer as the kernels see it. Offsets inside a group fit 31 bits; that of a group may not. */
struct Layer {
    const float* logits;
    const float* latent;
    void* effective;
    uint8_t* mask;
    uint32_t* bits;
    int32_t* indices;
    const void* effective_gradient;
    float* latent_gradient;
    float* logit_gradient;
    float* temperature_gradient;
    unsigned char* workspace;  // for the winners of a group, if they are too many for shared memory

    int64_t group_strides[3];
    Divisor group_sizes[2];  // the two faster axes
    uint32_t groups, candidates, kept, words;
    Divisor inner;  // elements along the faster axis
    uint32_t inner_stride, outer, outer_stride, candidate_stride;

    uint32_t index;   // in the random counter
    uint32_t number;  // from 0, in the caller's order
    Size size;
    uint32_t lanes;         // threads a group
    uint32_t first_block, blocks;
    bool bfloat16, wide, contiguous;
    bool by_four;           // whether quadruples of candidates lie at addresses that allow one access
    bool weights_by_four;   // and of weights

    /** Where a group's first weight lies. */
    KOFN_HD int64_t base(uint32_t group) const {
        uint32_t rows = group_sizes[1].divide(group);
        uint32_t planes = group_sizes[0].divide(rows);
        return planes * group_strides[0] + (rows - planes * group_sizes[0].value) * group_strides[1]
            + (group - rows * group_sizes[1].value) * group_strides[2];
    }
};

/** What a launch is told. Layers are in the order of their blocks. */
struct Table {
    Layer layers[LAYERS];
    uint32_t count;
    kofn_draw draw;
    uint32_t* not_finite;  // [caller's layers], in memory of the host: 1 for layers with a score that is no number

    /** The layer that a block works for. */
    KOFN_HD const Layer& layer_of(uint32_t block) const {
        uint32_t low = 0, high = count;
        while (high - low > 1) {
            uint32_t middle = (low + high) / 2;
            bool right = layers[middle].first_block <= block;
            low = right ? middle : low;
            high = right ? high : middle;
        }
        return layers[low];
    }
};
static_assert(sizeof(Table) <= 32764, "larger than a kernel's parameters may be");

}  // namespace kofn::cuda
