#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "direct_lists.h"
#include "direct_tile.cuh"

/** The direct method on the host: the patch and the tile, the launch. */
namespace kofn::conv {

using DirectKernel = decltype(&direct<float, PointsPatch>);

/** How a convolution is computed, in the host's memory. The kernel's pointers are still to be filled in. */
struct DirectPlan {
    Direct kernel{};
    bool bf16;
    int32_t patch_outputs = 0;
    DirectKernel function = nullptr;
    std::string patch;

    /** share: so many outputs, at least, have one list. */
    DirectPlan(const Direct& shape, const Lists& lists, int32_t share, bool bf16_, const DeviceLimits& limits);

    std::string describe() const {
        return "direct " + std::to_string(kernel.block_outputs) + "x" + std::to_string(kernel.lanes) + "x" + patch;
    }
    cudaError_t launch(const Direct& with_pointers, cudaStream_t stream) const;

private:
    template <class Patch>
    void consider(const Direct& shape, const DirectLoad& load, const DeviceLimits& limits);

    double least_ = std::numeric_limits<double>::infinity();
};

/** Takes the patch, with the lanes and threads that are done first, if nothing yet is done earlier. */
template <class Patch>
void DirectPlan::consider(const Direct& shape, const DirectLoad& load, const DeviceLimits& limits) {
    const double before = least_;
    for (int32_t lanes = 1; lanes <= 32; lanes *= 2) {
        direct_fastest<Patch>(shape, lanes, Patch::work(shape), load, limits.shared_bytes, kernel, least_);
    }
    if (least_ < before) {
        function = bf16 ? &direct<uint16_t, Patch> : &direct<float, Patch>;
        patch_outputs = Patch::ROWS * Patch::COLUMNS;
        patch = std::to_string(Patch::ROWS) + "x" + std::to_string(Patch::COLUMNS);
    }
}

inline DirectPlan::DirectPlan(const Direct& shape, const Lists& lists, int32_t share, bool bf16_,
                              const DeviceLimits& limits)
    : bf16(bf16_) {
    size_t entries = 0;
    for (const std::vector<int32_t>& list : lists) {
        entries += list.size();
    }
    const DirectLoad load{1.0 * static_cast<double>(entries) / shape.outputs, share, limits.multiprocessors};
    const bool three = shape.rows == 3 && shape.columns == 3 && shape.stride_rows == shape.stride_columns;
    if (shape.rows * shape.columns == 1) {
        consider<PointsPatch>(shape, load, limits);
    } else if (three && shape.stride_rows == 1) {
        consider<RowsPatch<1, 7, 8>>(shape, load, limits);
        consider<RowsPatch<1, 4, 8>>(shape, load, limits);
        consider<RowsPatch<1, 4, 4>>(shape, load, limits);
    } else if (three && shape.stride_rows == 2) {
        consider<RowsPatch<2, 4, 8>>(shape, load, limits);
        consider<RowsPatch<2, 4, 4>>(shape, load, limits);
    } else {
        consider<TapsPatch>(shape, load, limits);
    }
    if (function == nullptr) { // no GPU that the library is compiled for has so little shared memory
        throw Refusal{KOFN_CONV_MEMORY};
    }
    // All plans ask for the same, so that none takes it away from another.
    require(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, limits.shared_bytes));
}

/** All in device memory. */
inline cudaError_t DirectPlan::launch(const Direct& with_pointers, cudaStream_t stream) const {
    Direct d = with_pointers;
    direct_use_vectors(d, d.x, bf16);
    const unsigned blocks = static_cast<unsigned>(d.tiles) * static_cast<unsigned>(d.output_blocks);
    const size_t bytes = static_cast<size_t>(direct_shared_bytes(d, patch_outputs));
    KOFN_LAUNCH(function, blocks, static_cast<unsigned>(d.threads()), bytes, stream, d);
    return cudaGetLastError();
}

/** Lists on the device. */
class DirectArrays {
public:
    explicit DirectArrays(const DirectLists& lists)
        : outputs_(lists.outputs), channels_(lists.channels), ends_(lists.ends), parts_(lists.parts) {}

    void give(Direct& kernel) const {
        kernel.list = outputs_.data();
        kernel.channels = channels_.data();
        kernel.ends = ends_.data();
        kernel.parts = parts_.data();
    }
    int64_t bytes() const { return outputs_.bytes() + channels_.bytes() + ends_.bytes() + parts_.bytes(); }

private:
    DeviceArray<DirectOutput> outputs_;
    DeviceArray<int32_t> channels_, ends_;
    DeviceArray<DirectPart> parts_;
};

}  // namespace kofn::conv
