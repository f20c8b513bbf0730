#pragma once

#include <limits>
#include <optional>
#include <string>

#include "backward_weights.cuh"
#include "direct_plan.cuh"

/** The gradient of the kept kernels on the host: the patch, the parts, the tile, the launch. */
namespace kofn::conv {

class WeightsGradient {
public:
    WeightsGradient(const kofn_conv& conv, int32_t batch, bool bf16, const DeviceLimits& limits);

    int64_t workspace() const { return kernel_.parts > 1 ? kernel_.parts * kernel_.part * 4 : 0; }
    std::string describe() const {
        return "direct " + std::to_string(kernel_.direct.block_outputs) + "x" + std::to_string(GRADIENT_LANES) + "x"
            + patch_ + " in " + std::to_string(kernel_.parts) + (kernel_.parts == 1 ? " part" : " parts");
    }
    cudaError_t run(const void* x, const void* dy, float* weights, float* bias, void* workspace,
                    cudaStream_t stream) const;

private:
    using Kernel = decltype(&weight_gradient<float, PointsPatch>);

    template <class Patch>
    void consider(const Direct& shape, const DeviceLimits& limits);

    WeightGradient kernel_{};
    Kernel function_ = nullptr;
    std::string patch_;
    bool bf16_;
    int32_t patch_outputs_ = 0;
    int64_t kernels_; /* floats of dw */
    double least_ = std::numeric_limits<double>::infinity();
    std::optional<DirectArrays> arrays_;
    DeviceArray<int32_t> places_;
};

/**
 * Takes the patch if it wastes least, by the clocks of one multiprocessor for all tiles: whatever the device, for sums
 * depend on it. So do they on the number of parts: together with 64 outputs they make a block for each multiprocessor of
 * a large GPU. What a device chooses is how many outputs a block has.
 */
template <class Patch>
void WeightsGradient::consider(const Direct& shape, const DeviceLimits& limits) {
    constexpr int32_t lists_in_flight = 8192; // of 128 multiprocessors
    Direct d = shape;
    direct_cut<Patch>(d, GRADIENT_LANES);
    const DirectWork work = gradient_work<Patch>(d);
    const double clocks = 1.0 * d.tiles * std::max(work.products / 4, work.reads);
    if (clocks >= least_) {
        return;
    }
    least_ = clocks;
    kernel_.parts = std::clamp((lists_in_flight + d.outputs - 1) / d.outputs, 1, d.tiles);
    const DirectLoad load{static_cast<double>(kernel_.kept), kernel_.share, limits.multiprocessors, kernel_.parts};
    double fastest = std::numeric_limits<double>::infinity();
    direct_fastest<Patch>(shape, GRADIENT_LANES, work, load, limits.shared_bytes, kernel_.direct, fastest);
    if (fastest == std::numeric_limits<double>::infinity()) {
        throw Refusal{KOFN_CONV_MEMORY};
    }
    function_ = bf16_ ? &weight_gradient<uint16_t, Patch> : &weight_gradient<float, Patch>;
    patch_outputs_ = Patch::ROWS * Patch::COLUMNS;
    patch_ = std::to_string(Patch::ROWS) + "x" + std::to_string(Patch::COLUMNS);
}

inline WeightsGradient::WeightsGradient(const kofn_conv& conv, int32_t batch, bool bf16, const DeviceLimits& limits)
    : bf16_(bf16), kernels_(int64_t{conv.outputs} * conv.kept * conv.rows * conv.columns) {
    kernel_.kept = conv.kept;
    kernel_.share = conv.share;
    const Direct shape = direct_shape(conv, batch);
    const bool three = conv.rows == 3 && conv.columns == 3 && conv.stride_rows == conv.stride_columns;
    if (conv.rows * conv.columns == 1) {
        consider<PointsPatch>(shape, limits);
    } else if (three && conv.stride_rows == 1) {
        consider<RowsPatch<1, 7, 8>>(shape, limits);
        consider<RowsPatch<1, 4, 8>>(shape, limits);
        consider<RowsPatch<1, 4, 4>>(shape, limits);
    } else if (three && conv.stride_rows == 2) {
        consider<RowsPatch<2, 4, 8>>(shape, limits);
        consider<RowsPatch<2, 4, 4>>(shape, limits);
    } else {
        consider<TapsPatch>(shape, limits);
    }
    require(cudaFuncSetAttribute(function_, cudaFuncAttributeMaxDynamicSharedMemorySize, limits.shared_bytes));
    kernel_.part = (kernels_ + conv.outputs + 63) / 64 * 64;
    Direct& d = kernel_.direct;
    DirectLists lists(d, lists_of(conv));
    lists.set_planes(d.out_height * d.out_width);
    lists.places.push_back(0); // one is fetched ahead
    arrays_.emplace(lists);
    arrays_->give(d);
    places_ = DeviceArray<int32_t>(lists.places);
    kernel_.places = places_.data();
}

inline cudaError_t WeightsGradient::run(const void* x, const void* dy, float* weights, float* bias, void* workspace,
                                        cudaStream_t stream) const {
    const bool split = kernel_.parts > 1;
    WeightGradient g = kernel_;
    float* const sums = static_cast<float*>(workspace);
    g.direct.x = x;
    g.gradient = dy;
    g.weights = split ? sums : weights;
    g.bias = split && bias != nullptr ? sums + kernels_ : bias;
    direct_use_vectors(g.direct, x, bf16_);
    const Direct& d = g.direct;
    const unsigned blocks = static_cast<unsigned>(g.parts) * static_cast<unsigned>(d.output_blocks);
    const size_t bytes = static_cast<size_t>(direct_shared_bytes(d, patch_outputs_));
    KOFN_LAUNCH(function_, blocks, static_cast<unsigned>(d.threads()), bytes, stream, g);
    const cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess || !split) {
        return error;
    }
    const GradientParts all{sums,     weights,  bias, g.part, kernels_, kernels_ + (bias != nullptr ? d.outputs : 0),
                            g.parts};
    const int64_t adding = std::min<int64_t>((all.all + ADDING_THREADS - 1) / ADDING_THREADS, 4096);
    KOFN_LAUNCH(add_parts, static_cast<unsigned>(adding), ADDING_THREADS, 0, stream, all);
    return cudaGetLastError();
}

}  // namespace kofn::conv
