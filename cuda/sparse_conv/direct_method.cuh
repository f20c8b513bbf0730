#pragma once

#include "direct_plan.cuh"

/** The direct method as a plan on the device. */
namespace kofn::conv {

class DirectMethod final : public kofn_cuda_conv_plan {
public:
    DirectMethod(const kofn_conv& of, const DirectPlan& packed, int32_t batch_, int32_t precision_)
        : kofn_cuda_conv_plan(of, batch_, precision_),
          plan_(packed),
          records_(packed.records),
          bias_(packed.bias),
          channels_(packed.channels),
          ends_(packed.ends),
          parts_(packed.parts) {
        plan_.records = plan_.bias = {};
        plan_.channels = plan_.ends = {};
        plan_.parts = {};
        plan_.kernel.records = records_.data();
        plan_.kernel.bias = bias_.data();
        plan_.kernel.channels = channels_.data();
        plan_.kernel.ends = ends_.data();
        plan_.kernel.parts = parts_.data();
        description = plan_.describe();
        bytes = records_.bytes() + bias_.bytes() + channels_.bytes() + ends_.bytes() + parts_.bytes();
    }

    cudaError_t run(const void* x, void* y, const void* residual, void*, cudaStream_t stream) const override {
        Direct kernel = plan_.kernel;
        kernel.x = x;
        kernel.y = y;
        kernel.residual = residual;
        return plan_.launch(kernel, stream);
    }

private:
    DirectPlan plan_;
    DeviceArray<float> records_, bias_;
    DeviceArray<int32_t> channels_, ends_;
    DeviceArray<DirectPart> parts_;
};

/** A plan for any convolution; in fp32 where tf32 is asked for. */
inline std::unique_ptr<kofn_cuda_conv_plan> make_direct_plan(const kofn_conv& conv, int32_t batch, int32_t precision,
                                                             const DeviceLimits& limits) {
    const DirectPlan plan(conv, batch, precision, limits);
    // All plans ask for the same, so that none takes it away from another.
    require(cudaFuncSetAttribute(plan.function, cudaFuncAttributeMaxDynamicSharedMemorySize, limits.shared_bytes));
    return std::make_unique<DirectMethod>(conv, plan, batch, precision);
}

}  // namespace kofn::conv
