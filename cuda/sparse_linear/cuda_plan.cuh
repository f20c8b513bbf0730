#pragma once

#include <string>

#include "../sparse_conv/cuda_plan.cuh"
#include "checks.h"
#include "cuda_many.cuh"
#include "cuda_pack.h"

/** The plan, and how it is chosen. */
namespace kofn::linear {

/** Whether bitmaps take less time than lists, in bytes that could be read meanwhile (sparse_linear_cuda.h). */
inline bool prefers_bitmaps(const kofn_linear& l, bool bf16) {
    const double weights = l.kept * (bf16 ? 2.0 : 4.0), lists = weights + 2.0 * l.kept / l.share;
    const double bitmaps = weights + l.inputs / (8.0 * l.share), decoding = 36.0 / 32.0 * l.inputs;
    return std::max(bitmaps, decoding) < lists;
}

inline Staging stage(const kofn_linear& l, int32_t batch, bool bf16) {
    Staging s{};
    s.images = 1;
    while (s.images < 32 && s.images < static_cast<uint32_t>(batch)) {
        s.images *= 2;
    }
    const bool few = s.images <= 4;
    const uint32_t inputs = static_cast<uint32_t>(l.inputs);
    s.bitmaps = few && prefers_bitmaps(l, bf16);
    s.pitch = few ? s.images : pitch_of(s.images);
    s.segment = s.bitmaps ? std::min(SHARED_FLOATS / s.images, (inputs + 127) / 128 * 128)
                          : std::min(SHARED_FLOATS / s.pitch - 1, inputs);
    s.segments = (inputs + s.segment - 1) / s.segment;
    return s;
}

/** So many warps of a block that all multiprocessors have one: more warps read x less often. */
inline uint32_t choose_warps(int64_t warps, int multiprocessors) {
    for (const uint32_t of_block : {MOST_WARPS, 8u}) {
        if (warps >= int64_t{of_block} * multiprocessors) {
            return of_block;
        }
    }
    return 4;
}

}  // namespace kofn::linear

/** A layer made ready; nothing in it changes once it is made. */
struct kofn_cuda_linear_plan {
    kofn::linear::Problem problem{}; // without tensors
    kofn::linear::Staging staging{};
    bool bf16 = false;
    uint32_t blocks = 0, threads = 0, shared_bytes = 0;
    int64_t bytes = 0;
    std::string description;
    kofn::conv::DeviceArray<uint8_t> weights;
    kofn::conv::DeviceArray<uint16_t> places;
    kofn::conv::DeviceArray<uint32_t> bitmaps, runs;
    kofn::conv::DeviceArray<float> bias;
};

namespace kofn::linear {

/** Places and weights are counted in 32 bits, elements of tensors too. */
inline int32_t check_sizes(const kofn_linear& l, int32_t batch) {
    constexpr int64_t TENSOR = int64_t{1} << 31;
    const bool fits = int64_t{batch} * l.inputs < TENSOR && int64_t{batch} * l.outputs < TENSOR
        && int64_t{l.outputs} * l.kept < TENSOR / 2;
    return fits ? KOFN_CONV_OK : KOFN_CONV_SHAPE;
}

/** Makes a plan of a layer that was checked; throws conv::Refusal. */
inline void fill(const kofn_linear& l, int32_t batch, bool bf16, kofn_cuda_linear_plan& plan) {
    const Staging s = plan.staging = stage(l, batch, bf16);
    const Packed packed = pack(l, s, bf16);
    const int multiprocessors = conv::DeviceLimits::ask().multiprocessors;
    plan.bf16 = bf16;
    plan.bytes = packed.bytes();
    plan.weights = conv::DeviceArray<uint8_t>(packed.weights);
    if (s.bitmaps) {
        plan.bitmaps = conv::DeviceArray<uint32_t>(packed.bitmaps);
    } else {
        plan.places = conv::DeviceArray<uint16_t>(packed.places);
    }
    plan.runs = conv::DeviceArray<uint32_t>(packed.runs);
    plan.bias = conv::DeviceArray<float>(packed.bias);
    Problem& p = plan.problem;
    p.weights = plan.weights.data();
    p.places = plan.places.data();
    p.bitmaps = plan.bitmaps.data();
    p.runs = plan.runs.data();
    p.bias = plan.bias.data();
    p.inputs = static_cast<uint32_t>(l.inputs);
    p.outputs = static_cast<uint32_t>(l.outputs);
    p.batch = static_cast<uint32_t>(batch);
    p.share = static_cast<uint32_t>(l.share);
    p.segment = s.segment;
    p.segments = s.segments;
    p.activation = l.activation;
    const bool few = s.images <= 4;
    const uint32_t of_warp = few ? 1 : NEURONS_OF_WARP, groups = (p.batch + s.images - 1) / s.images;
    const uint32_t of_layer = (p.outputs + of_warp - 1) / of_warp;
    const uint32_t warps = choose_warps(int64_t{groups} * of_layer, multiprocessors);
    const uint32_t blocks = (of_layer + warps - 1) / warps * groups;
    plan.threads = 32 * warps;
    plan.blocks = few ? std::min(blocks, static_cast<uint32_t>(multiprocessors) * (32 / warps)) : blocks;
    plan.shared_bytes = (s.bitmaps ? s.segment * s.images : (s.segment + 1) * s.pitch) * sizeof(float);
    plan.description = std::to_string(s.images) + (s.images == 1 ? " image, " : " images, ")
        + (s.bitmaps ? "bitmaps, " : "lists, ") + "segments of " + std::to_string(s.segment)
        + (bf16 ? ", bf16" : ", fp32");
}

}  // namespace kofn::linear
