#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cuda_plan.cuh"
#include "direct.cuh"

/** Tiles of the direct method: what follows from patch, lanes and threads, and what takes how long. */
namespace kofn::conv {

/** Bytes of shared memory of a block: the ring, where items come from, where outputs go to. */
inline int32_t direct_shared_bytes(const Direct& d, int32_t patch_outputs) {
    return d.ring_words * 4 + d.items * static_cast<int32_t>(sizeof(DirectItem)) + d.lanes * patch_outputs * 4;
}

/** The sizes of a convolution of conv's inputs; its tile is still to be chosen, and its lists are to come. */
inline Direct direct_shape(const kofn_conv& conv, int32_t batch) {
    Direct d{};
    d.batch = batch;
    d.inputs = conv.inputs;
    d.outputs = conv.outputs;
    d.activation = conv.activation;
    d.height = conv.height;
    d.width = conv.width;
    d.out_height = static_cast<int32_t>(outputs_along(conv.height, conv.rows, conv.stride_rows, conv.padding_rows));
    d.out_width =
        static_cast<int32_t>(outputs_along(conv.width, conv.columns, conv.stride_columns, conv.padding_columns));
    d.out_image = conv.outputs * d.out_height * d.out_width;
    d.out_row = d.out_width;
    d.out_column = 1;
    d.rows = conv.rows;
    d.columns = conv.columns;
    d.stride_rows = conv.stride_rows;
    d.stride_columns = conv.stride_columns;
    d.padding_rows = conv.padding_rows;
    d.padding_columns = conv.padding_columns;
    return d;
}

/**
 * Whether neighbouring pixels can be copied by fours, if the input begins at such an address too: 1×1 kernels whose
 * output pixels are those of the input.
 */
inline bool direct_rows_of_four(const Direct& d) {
    return d.rows * d.columns == 1 && d.out_height == d.height && d.out_width == d.width && d.padding_rows == 0
        && d.padding_columns == 0 && d.height * d.width % 4 == 0;
}

/** Copies by fours where that is possible. */
inline void direct_use_vectors(Direct& d, const void* x, bool bf16) {
    if (direct_rows_of_four(d) && reinterpret_cast<uintptr_t>(x) % (bf16 ? 8 : 16) == 0) {
        d.vectors = 1;
        d.items /= 4;
    }
}

/** How pixels are cut into patches and tiles, whatever the device. */
template <class Patch>
void direct_cut(Direct& d, int32_t lanes) {
    constexpr bool points = std::is_same_v<Patch, PointsPatch>;
    d.lanes = lanes;
    d.patch_rows = (d.out_height + Patch::ROWS - 1) / Patch::ROWS;
    d.patch_columns = (d.out_width + Patch::COLUMNS - 1) / Patch::COLUMNS;
    const int64_t pixels = int64_t{d.batch} * d.out_height * d.out_width;
    d.patches = points ? static_cast<int32_t>((pixels + 15) / 16) : d.batch * d.patch_rows * d.patch_columns;
    d.tiles = (d.patches + lanes - 1) / lanes;
    Patch::lay_out(d);
    d.plane_words = lanes * d.patch_words;
    d.items = points ? d.plane_words : lanes * d.in_rows * d.in_columns;
}

/** What follows from a patch, its lanes and threads; false if it does not fit shared memory. */
template <class Patch>
bool direct_tile(Direct& d, int32_t lanes, int32_t threads, int32_t shared_bytes) {
    constexpr int32_t most_places = 4; // a list may be three chunks ahead of another
    direct_cut<Patch>(d, lanes);
    d.block_outputs = threads / lanes;
    d.output_blocks = (d.outputs + d.block_outputs - 1) / d.block_outputs;

    // Blocks share a multiprocessor: as many as have DIRECT_THREADS threads, and a kilobyte of each is CUDA's own.
    constexpr int32_t reserved = 1024, patch_outputs = Patch::ROWS * Patch::COLUMNS;
    d.ring_words = 0;
    const int32_t bytes = (shared_bytes + reserved) / (DIRECT_THREADS / threads) - reserved;
    const int32_t words = (bytes - direct_shared_bytes(d, patch_outputs)) / 4 / 4 * 4;
    const int32_t turned = threads * DIRECT_TURN_PITCH<Patch>;
    d.places = std::min(most_places, words / d.plane_words);
    if (d.places < 2 || words < turned) {
        return false;
    }
    d.chunk = std::min(words / d.plane_words / d.places, (d.inputs + d.places - 1) / d.places);
    d.ring_words = std::max(turned, (d.places * d.chunk * d.plane_words + 3) / 4 * 4);
    return true;
}

/** What the lists are to a tile, and who computes it. */
struct DirectLoad {
    double kept;   /* entries of a list, on average */
    int32_t share; /* so many outputs have one list */
    int multiprocessors;
    int32_t parts = 0; /* into which tiles are cut, a block for each; 0: each tile is one */
};

/**
 * The clocks of the busiest multiprocessor, roughly. A warp multiplies once a clock, four of them at a time. Shared memory
 * gives a warp one float each, if the eight lanes that it serves at once are at one channel; lists at several channels
 * meet in its banks. Records and what is staged come from the L2 cache, 32 bytes a clock. Each chunk ends at a barrier.
 */
inline double direct_clocks(const Direct& d, const DirectWork& work, const DirectLoad& load) {
    constexpr double barrier = 100, l2_floats = 8;
    const int32_t parts = load.parts == 0 ? d.tiles : load.parts;
    const double rounds =
        std::ceil(1.0 * parts * d.output_blocks / load.multiprocessors) * std::ceil(1.0 * d.tiles / parts);
    const double warps = rounds * d.threads() / 32;
    const double meeting = d.lanes < 8 ? 0.5 + 4.0 / d.lanes : 1;
    const double entry = std::max(std::ceil(warps / 4) * work.products, warps * work.reads * meeting)
        + warps * 32 / d.lanes * d.record / l2_floats;
    const double lists = std::ceil(1.0 * d.block_outputs / load.share);
    const double channels = d.inputs * (1 - std::pow(1 - std::min(1.0, load.kept / d.inputs), lists));
    return load.kept * entry + rounds * (channels * d.items / l2_floats + std::ceil(channels / d.chunk) * barrier);
}

/** The tile that is done first, of those with the given lanes and with any number of threads. */
template <class Patch>
void direct_fastest(const Direct& shape, int32_t lanes, const DirectWork& work, const DirectLoad& load,
                    int32_t shared_bytes, Direct& fastest, double& least) {
    for (int32_t threads = 32; threads <= DIRECT_THREADS; threads *= 2) {
        Direct d = shape;
        if (direct_tile<Patch>(d, lanes, threads, shared_bytes)) {
            const double clocks = direct_clocks(d, work, load);
            if (clocks < least) {
                least = clocks;
                fastest = d;
            }
        }
    }
}

}  // namespace kofn::conv
