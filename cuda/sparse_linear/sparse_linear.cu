#include <new>

#include "../emulation/cuda_or_emulation.h"
#include "cuda_few.cuh"
#include "cuda_many.cuh"
#include "cuda_plan.cuh"

/** The calls of sparse_linear_cuda.h. */
using namespace kofn::linear;

namespace {

template <class Element, uint32_t IMAGES>
void launch_few(const kofn_cuda_linear_plan& plan, const Problem& problem, cudaStream_t stream) {
    if (plan.staging.bitmaps) {
        KOFN_LAUNCH((few_images<Element, IMAGES, true>), plan.blocks, plan.threads, plan.shared_bytes, stream, problem);
    } else {
        KOFN_LAUNCH((few_images<Element, IMAGES, false>), plan.blocks, plan.threads, plan.shared_bytes, stream, problem);
    }
}

template <class Element, uint32_t IMAGES>
void launch_many(const kofn_cuda_linear_plan& plan, const Problem& problem, cudaStream_t stream) {
    KOFN_LAUNCH((many_images<Element, IMAGES>), plan.blocks, plan.threads, plan.shared_bytes, stream, problem);
}

template <class Element>
void launch(const kofn_cuda_linear_plan& plan, const Problem& problem, cudaStream_t stream) {
    switch (plan.staging.images) {
    case 1: return launch_few<Element, 1>(plan, problem, stream);
    case 2: return launch_few<Element, 2>(plan, problem, stream);
    case 4: return launch_few<Element, 4>(plan, problem, stream);
    case 8: return launch_many<Element, 8>(plan, problem, stream);
    case 16: return launch_many<Element, 16>(plan, problem, stream);
    default: return launch_many<Element, 32>(plan, problem, stream);
    }
}

}  // namespace

int32_t kofn_cuda_linear_open(const kofn_linear* linear, int32_t batch, int32_t precision,
                              kofn_cuda_linear_plan** plan) {
    if (linear == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    int32_t status = check(*linear, batch, precision);
    status = status == KOFN_CONV_OK ? check_sizes(*linear, batch) : status;
    if (status != KOFN_CONV_OK) {
        return status;
    }
    try {
        auto made = std::make_unique<kofn_cuda_linear_plan>();
        fill(*linear, batch, precision == KOFN_BF16, *made);
        *plan = made.release();
        return KOFN_CONV_OK;
    } catch (const kofn::conv::Refusal& refusal) {
        return refusal.status;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cuda_linear_close(kofn_cuda_linear_plan* plan) {
    delete plan; // cudaFree waits until no kernel uses the memory
}

int64_t kofn_cuda_linear_bytes(const kofn_cuda_linear_plan* plan) {
    return plan->bytes;
}

const char* kofn_cuda_linear_describe(const kofn_cuda_linear_plan* plan) {
    return plan->description.c_str();
}

int32_t kofn_cuda_linear_run(const kofn_cuda_linear_plan* plan, const void* input, void* output, const void* residual,
                             void* stream) {
    if (plan == nullptr || input == nullptr || output == nullptr) {
        return KOFN_CONV_NULL;
    }
    Problem p = plan->problem;
    p.input = input;
    p.output = output;
    p.residual = residual;
    plan->bf16 ? launch<uint16_t>(*plan, p, static_cast<cudaStream_t>(stream))
               : launch<float>(*plan, p, static_cast<cudaStream_t>(stream));
    return cudaGetLastError() == cudaSuccess ? KOFN_CONV_OK : KOFN_CONV_LAUNCH;
}
