#pragma once

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "../emulation/cuda_or_emulation.h"
#include "tile.cuh"
#include "weights.h"

/** From a caller's layer to a plan: checks, weights packed and uploaded, the choice of a tile. */
namespace kofn::two_four {

/** Tiles, in warps: each warp computes 64 outputs of 32 columns. */
struct Shape {
    uint32_t rows, columns;
};
constexpr Shape SHAPES[] = {{2, 4}, {1, 4}, {1, 1}};

/** Memory of the device, freed with its owner. */
struct FreeOnDevice {
    void operator()(void* memory) const { cudaFree(memory); }
};
using OnDevice = std::unique_ptr<void, FreeOnDevice>;

}  // namespace kofn::two_four

struct kofn_cuda_two_four_plan {
    kofn::two_four::Problem problem{}; // without tensors
    kofn::two_four::Shape shape{};
    int32_t precision = KOFN_BF16;
    uint32_t blocks = 0;
    int64_t bytes = 0;
    char description[48] = "";
    kofn::two_four::OnDevice values, metadata, bias;
};

namespace kofn::two_four {

inline uint32_t quotient_up(uint32_t a, uint32_t b) {
    return (a + b - 1) / b;
}

inline uint32_t blocks_of(const Shape& shape, uint32_t outputs, uint32_t columns) {
    return quotient_up(outputs, shape.rows * WARP_OUTPUTS) * quotient_up(columns, shape.columns * WARP_COLUMNS);
}

/** The largest tile that gives all multiprocessors work; large ones read weights and activations less often. */
inline Shape choose(uint32_t outputs, uint32_t columns, int multiprocessors) {
    for (const Shape& shape : SHAPES) {
        const bool fits = shape.rows == 1 || outputs > WARP_OUTPUTS;
        if (fits && blocks_of(shape, outputs, columns) >= static_cast<uint32_t>(multiprocessors)) {
            return shape;
        }
    }
    return SHAPES[2];
}

/** Whether a plan can be made, but for the places, which are read while they are packed. */
inline int32_t check(const kofn_two_four& layer, int32_t precision) {
    constexpr int64_t MOST = int64_t{1} << 31;
    const int64_t n = layer.inputs, outputs = layer.outputs, batch = layer.batch, pixels = layer.pixels;
    if (layer.values == nullptr || layer.places == nullptr) {
        return KOFN_CONV_NULL;
    }
    const bool sound = n >= 4 && n % 4 == 0 && outputs >= 1 && batch >= 1 && pixels >= 1 && n * pixels < MOST
        && outputs * pixels < MOST && batch * pixels <= MOST / 2
        && (precision == KOFN_TF32 || precision == KOFN_BF16)
        && layer.activation >= KOFN_IDENTITY && layer.activation <= KOFN_RELU6;
    return sound ? KOFN_CONV_OK : KOFN_CONV_SHAPE;
}

template <class T>
int32_t upload(const std::vector<T>& from, OnDevice& to) {
    void* memory = nullptr;
    const size_t bytes = from.size() * sizeof(T);
    if (cudaMalloc(&memory, bytes) != cudaSuccess) {
        cudaGetLastError(); // forgets it
        return KOFN_CONV_MEMORY;
    }
    to.reset(memory);
    return cudaMemcpy(memory, from.data(), bytes, cudaMemcpyHostToDevice) == cudaSuccess ? KOFN_CONV_OK
                                                                                          : KOFN_CONV_LAUNCH;
}

/** Makes a plan of a layer that was checked. */
inline int32_t fill(const kofn_two_four& layer, int32_t precision, kofn_cuda_two_four_plan& plan) {
    const bool bf16 = precision == KOFN_BF16;
    const uint32_t depth = bf16 ? Bf16::DEPTH : Tf32::DEPTH;
    const uint32_t inputs = static_cast<uint32_t>(layer.inputs), outputs = static_cast<uint32_t>(layer.outputs);
    Packed packed(outputs, quotient_up(inputs, depth), bf16 ? Bf16::STEPS : Tf32::STEPS);
    if (!(bf16 ? pack_bf16(layer, packed) : pack_tf32(layer, packed))) {
        return KOFN_CONV_INDEX;
    }
    std::vector<float> bias(size_t{packed.blocks} * BLOCK_OUTPUTS);
    if (layer.bias != nullptr) {
        std::copy_n(layer.bias, outputs, bias.begin());
    }
    int device = 0, multiprocessors = 0;
    if (cudaGetDevice(&device) != cudaSuccess
        || cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
        return KOFN_CONV_LAUNCH;
    }
    int32_t status = upload(packed.values, plan.values);
    status = status == KOFN_CONV_OK ? upload(packed.metadata, plan.metadata) : status;
    status = status == KOFN_CONV_OK ? upload(bias, plan.bias) : status;
    if (status != KOFN_CONV_OK) {
        return status;
    }
    Problem& p = plan.problem;
    p.values = static_cast<const Four32*>(plan.values.get());
    p.metadata = static_cast<const Two32*>(plan.metadata.get());
    p.bias = static_cast<const float*>(plan.bias.get());
    p.inputs = inputs;
    p.outputs = outputs;
    p.pixels = static_cast<uint32_t>(layer.pixels);
    p.columns = static_cast<uint32_t>(layer.batch) * p.pixels;
    p.steps = packed.steps;
    p.activation = layer.activation;
    plan.precision = precision;
    plan.shape = choose(outputs, p.columns, multiprocessors);
    plan.blocks = blocks_of(plan.shape, outputs, p.columns);
    p.tiles_of_outputs = quotient_up(outputs, plan.shape.rows * WARP_OUTPUTS);
    plan.bytes = static_cast<int64_t>(4 * (packed.values.size() + packed.metadata.size() + bias.size()));
    std::snprintf(plan.description, sizeof plan.description, "2:4 %ux%ux%u, %s", plan.shape.rows * WARP_OUTPUTS,
                  plan.shape.columns * WARP_COLUMNS, depth, bf16 ? "bf16" : "tf32");
    return KOFN_CONV_OK;
}

}  // namespace kofn::two_four
