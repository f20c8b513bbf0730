#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda_plan.cuh"
#include "direct.cuh"
#include "direct_pace.h"

/** The direct method on the host: the patch and the tile, packing, the launch. */
namespace kofn::conv {

using DirectKernel = decltype(&direct<float, PointsPatch>);

/** Bytes of shared memory of a block: the ring, where items come from, where outputs go to. */
inline int32_t direct_shared_bytes(const Direct& d, int32_t patch_outputs) {
    return d.ring_words * 4 + d.items * static_cast<int32_t>(sizeof(DirectItem)) + d.lanes * patch_outputs * 4;
}

/** A convolution packed, in the host's memory. The kernel's pointers are still to be filled in. */
struct DirectPlan {
    Direct kernel{};
    bool bf16;
    bool rows_of_four;      /* neighbouring pixels can be copied by fours, if the input begins at such an address too */
    int32_t patch_outputs = 0;
    DirectKernel function = nullptr;
    std::string patch;
    std::vector<float> records, bias;
    std::vector<int32_t> channels, ends;
    std::vector<DirectPart> parts;

    DirectPlan(const kofn_conv& conv, int32_t batch, int32_t precision, const DeviceLimits& limits);

    std::string describe() const {
        return "direct " + std::to_string(kernel.block_outputs) + "x" + std::to_string(kernel.lanes) + "x" + patch
            + (bf16 ? ", bf16" : ", fp32");
    }
    cudaError_t launch(const Direct& with_pointers, cudaStream_t stream) const;

private:
    template <class Patch>
    void consider(const Direct& shape, const kofn_conv& conv, const DeviceLimits& limits);
    void pack(const kofn_conv& conv);
    void pack_block(const kofn_conv& conv, int32_t first_output);

    double least_ = 0;
};

/** What follows from a patch, its lanes and threads; false if it does not fit shared memory. */
template <class Patch>
bool direct_tile(Direct& d, int32_t lanes, int32_t threads, int32_t shared_bytes) {
    constexpr bool points = std::is_same_v<Patch, PointsPatch>;
    constexpr int32_t most_places = 4; // a list may be three chunks ahead of another
    d.lanes = lanes;
    d.block_outputs = threads / lanes;
    d.output_blocks = (d.outputs + d.block_outputs - 1) / d.block_outputs;
    d.patch_rows = (d.out_height + Patch::ROWS - 1) / Patch::ROWS;
    d.patch_columns = (d.out_width + Patch::COLUMNS - 1) / Patch::COLUMNS;
    const int64_t pixels = int64_t{d.batch} * d.out_height * d.out_width;
    d.patches = points ? static_cast<int32_t>((pixels + 15) / 16) : d.batch * d.patch_rows * d.patch_columns;
    d.tiles = (d.patches + lanes - 1) / lanes;
    Patch::lay_out(d);
    d.plane_words = lanes * d.patch_words;
    d.items = points ? d.plane_words : lanes * d.in_rows * d.in_columns;

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

/**
 * The clocks of the busiest multiprocessor, roughly. A warp multiplies once a clock, four of them at a time. Shared memory
 * gives a warp one float each, if the eight lanes that it serves at once are at one channel; lists at several channels
 * meet in its banks. Records and what is staged come from the L2 cache, 32 bytes a clock. Each chunk ends at a barrier.
 */
inline double direct_clocks(const Direct& d, const DirectWork& work, int32_t share, int32_t multiprocessors) {
    constexpr double barrier = 100, l2_floats = 8;
    const double rounds = std::ceil(1.0 * d.tiles * d.output_blocks / multiprocessors);
    const double warps = rounds * d.threads() / 32;
    const double meeting = d.lanes < 8 ? 0.5 + 4.0 / d.lanes : 1;
    const double entry = std::max(std::ceil(warps / 4) * work.products, warps * work.reads * meeting)
        + warps * 32 / d.lanes * d.record / l2_floats;
    const double lists = std::ceil(1.0 * d.block_outputs / share);
    const double channels = d.inputs * (1 - std::pow(1 - 1.0 * d.kept / d.inputs, lists));
    return d.kept * entry + rounds * (channels * d.items / l2_floats + std::ceil(channels / d.chunk) * barrier);
}

/** Takes the patch, with the lanes and threads that are done first, if nothing yet is done earlier. */
template <class Patch>
void DirectPlan::consider(const Direct& shape, const kofn_conv& conv, const DeviceLimits& limits) {
    for (int32_t lanes = 1; lanes <= 32; lanes *= 2) {
        for (int32_t threads = 32; threads <= DIRECT_THREADS; threads *= 2) {
            Direct d = shape;
            if (!direct_tile<Patch>(d, lanes, threads, limits.shared_bytes)) {
                continue;
            }
            const double clocks = direct_clocks(d, Patch::work(d), conv.share, limits.multiprocessors);
            if (function == nullptr || clocks < least_) {
                least_ = clocks;
                kernel = d;
                function = bf16 ? &direct<uint16_t, Patch> : &direct<float, Patch>;
                patch_outputs = Patch::ROWS * Patch::COLUMNS;
                patch = std::to_string(Patch::ROWS) + "x" + std::to_string(Patch::COLUMNS);
            }
        }
    }
}

inline DirectPlan::DirectPlan(const kofn_conv& conv, int32_t batch, int32_t precision, const DeviceLimits& limits)
    : bf16(precision == KOFN_BF16) {
    Direct d{};
    d.batch = batch;
    d.inputs = conv.inputs;
    d.outputs = conv.outputs;
    d.kept = conv.kept;
    d.activation = conv.activation;
    d.height = conv.height;
    d.width = conv.width;
    d.out_height = static_cast<int32_t>(outputs_along(conv.height, conv.rows, conv.stride_rows, conv.padding_rows));
    d.out_width =
        static_cast<int32_t>(outputs_along(conv.width, conv.columns, conv.stride_columns, conv.padding_columns));
    d.rows = conv.rows;
    d.columns = conv.columns;
    d.stride_rows = conv.stride_rows;
    d.stride_columns = conv.stride_columns;
    d.padding_rows = conv.padding_rows;
    d.padding_columns = conv.padding_columns;

    const bool points = conv.rows * conv.columns == 1;
    const bool three = conv.rows == 3 && conv.columns == 3 && conv.stride_rows == conv.stride_columns;
    rows_of_four = points && d.out_height == conv.height && d.out_width == conv.width && conv.padding_rows == 0
        && conv.padding_columns == 0 && conv.height * conv.width % 4 == 0;
    if (points) {
        consider<PointsPatch>(d, conv, limits);
    } else if (three && conv.stride_rows == 1) {
        consider<RowsPatch<1, 7, 8>>(d, conv, limits);
        consider<RowsPatch<1, 4, 8>>(d, conv, limits);
        consider<RowsPatch<1, 4, 4>>(d, conv, limits);
    } else if (three && conv.stride_rows == 2) {
        consider<RowsPatch<2, 4, 8>>(d, conv, limits);
        consider<RowsPatch<2, 4, 4>>(d, conv, limits);
    } else {
        consider<TapsPatch>(d, conv, limits);
    }
    if (function == nullptr) { // no GPU that the library is compiled for has so little shared memory
        throw Refusal{KOFN_CONV_MEMORY};
    }
    pack(conv);
}

/** Records in the order of outputs; for each block of outputs what is staged, and the pace. */
inline void DirectPlan::pack(const kofn_conv& conv) {
    const int32_t taps = conv.rows * conv.columns;
    bias = conv.bias != nullptr ? std::vector<float>(conv.bias, conv.bias + conv.outputs)
                                : std::vector<float>(static_cast<size_t>(conv.outputs));
    records.resize((static_cast<size_t>(conv.outputs) * conv.kept + 1) * kernel.record); // one is fetched ahead
    for (int32_t output = 0; output < conv.outputs; ++output) {
        for (int32_t i = 0; i < conv.kept; ++i) {
            const int64_t entry = int64_t{output / conv.share} * conv.kept + i;
            const float* from = conv.weights + (entry * conv.share + output % conv.share) * taps;
            float* to = &records[(static_cast<size_t>(output) * conv.kept + i) * kernel.record];
            std::transform(from, from + taps, to,
                           [this](float w) { return bf16 ? from_bfloat16(to_bfloat16(w)) : w; });
        }
    }
    for (int32_t block = 0; block < kernel.output_blocks; ++block) {
        pack_block(conv, block * kernel.block_outputs);
    }
}

inline void DirectPlan::pack_block(const kofn_conv& conv, int32_t first_output) {
    const int32_t outputs = std::min(kernel.block_outputs, conv.outputs - first_output), taps = conv.rows * conv.columns;
    const auto list_of = [&](int32_t output) { return conv.indices + int64_t{output / conv.share} * conv.kept; };
    std::vector<int32_t> place(static_cast<size_t>(conv.inputs), -1);
    for (int32_t o = first_output; o < first_output + outputs; ++o) {
        std::for_each(list_of(o), list_of(o) + conv.kept, [&](int32_t i) { place[static_cast<size_t>(i)] = 0; });
    }
    DirectPart part{static_cast<int32_t>(channels.size()), 0, static_cast<int64_t>(ends.size())};
    for (int32_t i = 0; i < conv.inputs; ++i) {
        if (place[static_cast<size_t>(i)] == 0) {
            place[static_cast<size_t>(i)] = part.channels++;
            channels.push_back(i * conv.height * conv.width);
        }
    }
    parts.push_back(part);

    const int32_t chunks = (part.channels + kernel.chunk - 1) / kernel.chunk, in_warp = 32 / kernel.lanes;
    ends.resize(ends.size() + static_cast<size_t>(chunks) * kernel.block_outputs);
    for (int32_t first = 0; first < outputs; first += in_warp) {
        std::vector<std::vector<int32_t>> lists;
        for (int32_t o = first_output + first; o < first_output + std::min(first + in_warp, outputs); ++o) {
            lists.emplace_back();
            for (int32_t i = 0; i < conv.kept; ++i) {
                lists.back().push_back(place[static_cast<size_t>(list_of(o)[i])]);
                const int32_t word = lists.back().back() % (kernel.places * kernel.chunk) * kernel.plane_words;
                records[(static_cast<size_t>(o) * conv.kept + i) * kernel.record + taps] =
                    bits_float(static_cast<uint32_t>(word));
            }
        }
        const std::vector<int32_t> pace = direct_pace(lists, chunks, kernel.chunk, kernel.places);
        for (size_t i = 0; i < pace.size(); ++i) {
            ends[static_cast<size_t>(part.first_end) + i / lists.size() * kernel.block_outputs + first
                 + i % lists.size()] = pace[i];
        }
    }
}

/** All in device memory. */
inline cudaError_t DirectPlan::launch(const Direct& with_pointers, cudaStream_t stream) const {
    Direct d = with_pointers;
    if (rows_of_four && reinterpret_cast<uintptr_t>(d.x) % (bf16 ? 8 : 16) == 0) {
        d.vectors = 1;
        d.items /= 4;
    }
    const unsigned blocks = static_cast<unsigned>(d.tiles) * static_cast<unsigned>(d.output_blocks);
    const size_t bytes = static_cast<size_t>(direct_shared_bytes(d, patch_outputs));
    KOFN_LAUNCH(function, blocks, static_cast<unsigned>(d.threads()), bytes, stream, d);
    return cudaGetLastError();
}

}  // namespace kofn::conv
