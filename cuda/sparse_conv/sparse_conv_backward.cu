#include <new>

#include "../emulation/cuda_or_emulation.h"
#include "backward_data.cuh"
#include "backward_weights_plan.cuh"
#include "sparse_conv_backward_cuda.h"

/** The calls of sparse_conv_backward_cuda.h. */
using namespace kofn::conv;

/** The gradients made ready; nothing in it changes once it is made. */
struct kofn_cuda_conv_backward {
    DataGradient data;
    WeightsGradient weights;
    std::string description;

    kofn_cuda_conv_backward(const kofn_conv& conv, int32_t batch, bool bf16, const DeviceLimits& limits)
        : data(conv, batch, bf16, limits),
          weights(conv, batch, bf16, limits),
          description("data " + data.describe() + ", weights " + weights.describe() + (bf16 ? ", bf16" : ", fp32")) {}
};

int32_t kofn_cuda_conv_backward_open(const kofn_conv* conv, int32_t batch, int32_t precision,
                                     kofn_cuda_conv_backward** plan) {
    if (conv == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    if (const int32_t status = check_request(*conv, batch, precision, false); status != KOFN_CONV_OK) {
        return status;
    }
    const int64_t most = INT32_MAX / (conv->rows * conv->columns);
    if (conv->activation != KOFN_IDENTITY || int64_t{conv->outputs} * conv->kept > most) {
        return KOFN_CONV_SHAPE;
    }
    try {
        *plan = new kofn_cuda_conv_backward(*conv, batch, precision == KOFN_BF16, DeviceLimits::ask());
        return KOFN_CONV_OK;
    } catch (const Refusal& refusal) {
        return refusal.status;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cuda_conv_backward_close(kofn_cuda_conv_backward* plan) {
    delete plan;
}

int64_t kofn_cuda_conv_backward_data_workspace(const kofn_cuda_conv_backward* plan) {
    return plan->data.workspace();
}

int64_t kofn_cuda_conv_backward_weights_workspace(const kofn_cuda_conv_backward* plan) {
    return plan->weights.workspace();
}

const char* kofn_cuda_conv_backward_describe(const kofn_cuda_conv_backward* plan) {
    return plan->description.c_str();
}

int32_t kofn_cuda_conv_backward_data(const kofn_cuda_conv_backward* plan, const float* weights, const void* grad_output,
                                     void* grad_input, void* workspace, void* stream) {
    if (plan == nullptr || weights == nullptr || grad_output == nullptr || grad_input == nullptr
        || (plan->data.workspace() > 0 && workspace == nullptr)) {
        return KOFN_CONV_NULL;
    }
    const cudaError_t error =
        plan->data.run(weights, grad_output, grad_input, workspace, static_cast<cudaStream_t>(stream));
    return error == cudaSuccess ? KOFN_CONV_OK : KOFN_CONV_LAUNCH;
}

int32_t kofn_cuda_conv_backward_weights(const kofn_cuda_conv_backward* plan, const void* input, const void* grad_output,
                                        float* grad_weights, float* grad_bias, void* workspace, void* stream) {
    if (plan == nullptr || input == nullptr || grad_output == nullptr || grad_weights == nullptr
        || (plan->weights.workspace() > 0 && workspace == nullptr)) {
        return KOFN_CONV_NULL;
    }
    const cudaError_t error = plan->weights.run(input, grad_output, grad_weights, grad_bias, workspace,
                                                static_cast<cudaStream_t>(stream));
    return error == cudaSuccess ? KOFN_CONV_OK : KOFN_CONV_LAUNCH;
}
