#pragma once

#include <algorithm>
#include <memory>
#include <numeric>

#include "direct_plan.cuh"
#include "transposed.h"

/**
 * The gradient of the data on a GPU: the direct method with transposed lists, over dy. Weights change with every call,
 * so that records are made on the device, in the order in which the kernel reads them.
 */
namespace kofn::conv {

/** An entry of a transposed list: its kernel among the weights, and the place of its output's plane in the ring. */
struct DirectEntry {
    int32_t kernel; /* −1: zeros */
    int32_t place;
};

/** The parameter of the kernel that makes records. */
struct DirectPacking {
    int32_t kernel_rows, kernel_columns, stride_rows, stride_columns; /* of the forward pass */
    Hits down, across;
    int32_t record = 0;
    int64_t words = 0;                    /* of all records */
    const float* weights = nullptr;       /* [kernels][kernel_rows][kernel_columns] */
    const DirectEntry* entries = nullptr; /* as many as records */
    float* records = nullptr;
};

constexpr int32_t PACKING_THREADS = 256;

/** Taps that come first in dy are the last of the kernel. In bf16 weights are rounded as those of the forward pass. */
template <bool BF16>
__global__ void __launch_bounds__(PACKING_THREADS) pack_records(KOFN_GRID_CONSTANT(DirectPacking) p) {
    const int64_t threads = int64_t{PACKING_THREADS} * gridDim.x;
    for (int64_t i = int64_t{PACKING_THREADS} * blockIdx.x + threadIdx.x; i < p.words; i += threads) {
        const DirectEntry entry = p.entries[i / p.record];
        const int32_t tap = static_cast<int32_t>(i % p.record), taps = p.down.taps * p.across.taps;
        float word = tap == taps ? bits_float(static_cast<uint32_t>(entry.place)) : 0.0f;
        if (tap < taps && entry.kernel >= 0) {
            const int32_t r = p.down.first + (p.down.taps - 1 - tap / p.across.taps) * p.stride_rows;
            const int32_t s = p.across.first + (p.across.taps - 1 - tap % p.across.taps) * p.stride_columns;
            word = p.weights[(int64_t{entry.kernel} * p.kernel_rows + r) * p.kernel_columns + s];
            word = BF16 ? from_bfloat16(to_bfloat16(word)) : word;
        }
        p.records[i] = word;
    }
}

/** The pixels of dx that lie a stride apart: a convolution of stride 1, of the taps that hit them. */
struct DataPhase {
    DirectPlan plan;
    DirectPacking packing;
    int64_t offset; /* bytes of the workspace before its records */
    DirectArrays arrays;
    DeviceArray<DirectEntry> entries;

    DataPhase(const DirectPlan& plan_, const DirectPacking& taps, int64_t offset_, const DirectLists& lists,
              const std::vector<DirectEntry>& packed)
        : plan(plan_), packing(taps), offset(offset_), arrays(lists), entries(packed) {
        arrays.give(plan.kernel);
        packing.entries = entries.data();
        packing.record = plan.kernel.record;
        packing.words = static_cast<int64_t>(packed.size()) * plan.kernel.record;
    }

    int64_t end() const { return offset + (packing.words * 4 + 255) / 256 * 256; }

    cudaError_t run(const float* weights, const void* dy, void* dx, void* workspace, cudaStream_t stream) const {
        DirectPacking p = packing;
        p.weights = weights;
        p.records = reinterpret_cast<float*>(static_cast<char*>(workspace) + offset);
        const int64_t blocks = std::min<int64_t>((p.words + PACKING_THREADS - 1) / PACKING_THREADS, 4096);
        const auto function = plan.bf16 ? &pack_records<true> : &pack_records<false>;
        KOFN_LAUNCH(function, static_cast<unsigned>(blocks), PACKING_THREADS, 0, stream, p);
        if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) {
            return error;
        }
        Direct kernel = plan.kernel;
        kernel.records = p.records;
        kernel.x = dy;
        kernel.y = dx;
        return plan.launch(kernel, stream);
    }
};

/** All phases. */
class DataGradient {
public:
    DataGradient(const kofn_conv& conv, int32_t batch, bool bf16, const DeviceLimits& limits);

    int64_t workspace() const { return phases_.empty() ? 0 : phases_.back().end(); }
    std::string describe() const {
        const std::string first = phases_.empty() ? "zeros" : phases_[0].plan.describe();
        return phases_.size() > 1 ? first + " of " + std::to_string(phases_.size()) + " phases" : first;
    }

    cudaError_t run(const float* weights, const void* dy, void* dx, void* workspace, cudaStream_t stream) const {
        cudaError_t error = missed_ ? cudaMemsetAsync(dx, 0, bytes_, stream) : cudaSuccess;
        for (const DataPhase& phase : phases_) {
            error = error == cudaSuccess ? phase.run(weights, dy, dx, workspace, stream) : error;
        }
        return error;
    }

private:
    bool missed_ = false; /* whether there are pixels that no tap hits */
    size_t bytes_;        /* of dx */
    std::vector<DataPhase> phases_;
};

inline DataGradient::DataGradient(const kofn_conv& conv, int32_t batch, bool bf16, const DeviceLimits& limits)
    : bytes_(static_cast<size_t>(batch) * conv.inputs * conv.height * conv.width * (bf16 ? 2 : 4)) {
    const Transposed t = transposed(conv);
    std::vector<int32_t> order(static_cast<size_t>(conv.inputs)); // inputs whose lists run in lock-step side by side
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return t.length(a) > t.length(b); });
    Lists lists;
    std::vector<DirectEntry> entries;
    for (const int32_t input : order) {
        const auto first = t.starts[static_cast<size_t>(input)], last = first + t.length(input);
        lists.emplace_back(t.outputs.begin() + first, t.outputs.begin() + last);
        std::for_each(t.kernels.begin() + first, t.kernels.begin() + last,
                      [&](int32_t kernel) { entries.push_back({kernel, 0}); });
    }
    entries.push_back({-1, 0}); // one is fetched ahead

    Direct shape = direct_shape(conv, batch);
    std::swap(shape.inputs, shape.outputs);
    std::swap(shape.height, shape.out_height);
    std::swap(shape.width, shape.out_width);
    const int32_t plane = conv.height * conv.width;
    shape.out_image = conv.inputs * plane;
    shape.out_row = conv.stride_rows * conv.width;
    shape.out_column = conv.stride_columns;
    shape.stride_rows = shape.stride_columns = 1;
    const int32_t phases = std::min(conv.stride_rows, conv.height) * std::min(conv.stride_columns, conv.width);
    for (int32_t phase = 0; phase < phases; ++phase) {
        const int32_t across = std::min(conv.stride_columns, conv.width), row = phase / across, column = phase % across;
        const Hits rows(row, conv.height, conv.rows, conv.stride_rows, conv.padding_rows);
        const Hits columns(column, conv.width, conv.columns, conv.stride_columns, conv.padding_columns);
        if (rows.taps == 0 || columns.taps == 0) {
            missed_ = true;
            continue;
        }
        shape.out_origin = row * conv.width + column;
        shape.out_height = rows.pixels;
        shape.out_width = columns.pixels;
        shape.rows = rows.taps;
        shape.columns = columns.taps;
        shape.padding_rows = rows.before;
        shape.padding_columns = columns.before;
        const DirectPlan plan(shape, lists, 1, bf16, limits);
        DirectLists cut(plan.kernel, lists);
        for (size_t i = 0; i < order.size(); ++i) {
            cut.outputs[i].plane = order[i] * plane;
        }
        for (size_t i = 0; i < cut.places.size(); ++i) {
            entries[i].place = cut.places[i];
        }
        const DirectPacking taps{conv.rows, conv.columns, conv.stride_rows, conv.stride_columns, rows, columns};
        phases_.emplace_back(plan, taps, workspace(), cut, entries);
    }
}

}  // namespace kofn::conv
