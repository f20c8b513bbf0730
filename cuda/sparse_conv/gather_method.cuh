#pragma once

#include "cuda_plan.cuh"
#include "gather_plan.cuh"

/** The gathered method as a plan on the device. */
namespace kofn::conv {

class GatherMethod final : public kofn_cuda_conv_plan {
public:
    GatherMethod(const kofn_conv& of, const GatherPlan& packed, int32_t batch_, int32_t precision_)
        : kofn_cuda_conv_plan(of, batch_, precision_),
          plan_(packed),
          weights_(packed.weights),
          list_(packed.list),
          bias_(of.bias != nullptr ? std::vector<float>(of.bias, of.bias + of.outputs)
                                 : std::vector<float>(static_cast<size_t>(of.outputs))) {
        plan_.weights = {};
        plan_.list = {};
        plan_.kernel.weights = weights_.data();
        plan_.kernel.list = list_.data();
        plan_.kernel.bias = bias_.data();
        description = plan_.describe();
        bytes = weights_.bytes() + list_.bytes() + bias_.bytes();
    }

    cudaError_t run(const void* x, void* y, const void* residual, void*, cudaStream_t stream) const override {
        Gather kernel = plan_.kernel;
        kernel.input = x;
        kernel.output = y;
        kernel.residual = residual;
        return plan_.launch(kernel, stream);
    }

private:
    GatherPlan plan_;
    DeviceArray<uint32_t> weights_;
    DeviceArray<int32_t> list_;
    DeviceArray<float> bias_;
};

/** A plan for a convolution that gather_takes. */
inline std::unique_ptr<kofn_cuda_conv_plan> make_gather_plan(const kofn_conv& conv, int32_t batch, int32_t precision,
                                                             const DeviceLimits& limits) {
    return std::make_unique<GatherMethod>(conv, GatherPlan(conv, batch, precision, limits.multiprocessors), batch,
                                          precision);
}

}  // namespace kofn::conv
