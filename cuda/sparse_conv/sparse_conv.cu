#include <new>

#include "../emulation/cuda_or_emulation.h"
#include "cuda_plan.cuh"
#include "direct_method.cuh"
#include "gather_method.cuh"

/** The calls of sparse_conv_cuda.h: checks, and the choice of the method. */
using namespace kofn::conv;

namespace {

/** The plan of the method that suits a convolution. */
std::unique_ptr<kofn_cuda_conv_plan> make_plan(const kofn_conv& conv, int32_t batch, int32_t precision) {
    const DeviceLimits limits = DeviceLimits::ask();
    return gather_takes(conv, precision) ? make_gather_plan(conv, batch, precision, limits)
                                         : make_direct_plan(conv, batch, precision, limits);
}

}  // namespace

int32_t kofn_cuda_conv_open(const kofn_conv* conv, int32_t batch, int32_t precision, kofn_cuda_conv_plan** plan) {
    if (conv == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    if (const int32_t status = check_request(*conv, batch, precision); status != KOFN_CONV_OK) {
        return status;
    }
    try {
        *plan = make_plan(*conv, batch, precision).release();
        return KOFN_CONV_OK;
    } catch (const Refusal& refusal) {
        return refusal.status;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cuda_conv_close(kofn_cuda_conv_plan* plan) {
    delete plan;
}

int64_t kofn_cuda_conv_workspace(const kofn_cuda_conv_plan* plan) {
    return plan->workspace_bytes;
}

int64_t kofn_cuda_conv_bytes(const kofn_cuda_conv_plan* plan) {
    return plan->bytes;
}

const char* kofn_cuda_conv_describe(const kofn_cuda_conv_plan* plan) {
    return plan->description.c_str();
}

int32_t kofn_cuda_conv_set_weights(kofn_cuda_conv_plan* plan, const float* weights, void* stream) {
    if (plan == nullptr || weights == nullptr) {
        return KOFN_CONV_NULL;
    }
    cudaError_t error = cudaSuccess;
    if (!plan->refill(weights, static_cast<cudaStream_t>(stream), error)) {
        return KOFN_CONV_SHAPE;
    }
    return error == cudaSuccess ? KOFN_CONV_OK : KOFN_CONV_LAUNCH;
}

int32_t kofn_cuda_conv_run(const kofn_cuda_conv_plan* plan, const void* input, void* output, const void* residual,
                           void* workspace, void* stream) {
    if (plan == nullptr || input == nullptr || output == nullptr
        || (plan->workspace_bytes > 0 && workspace == nullptr)) {
        return KOFN_CONV_NULL;
    }
    const cudaError_t error = plan->run(input, output, residual, workspace, static_cast<cudaStream_t>(stream));
    return error == cudaSuccess ? KOFN_CONV_OK : KOFN_CONV_LAUNCH;
}
