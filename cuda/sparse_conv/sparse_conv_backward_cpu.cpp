#include <memory>
#include <new>

#include "checks.h"
#include "cpu_backward.h"

/** The calls of the backward passes on the CPU. */
using namespace kofn::conv;

namespace {

std::string describe_passes(const kofn_conv_backward& plan) {
    const GradientKernel& kernel = plan.weights.kernel;
    return "data " + describe(plan.data.phases[0].plan) + "; weights "
        + (kernel.method == GradientKernel::rows ? "rows " + std::to_string(kernel.lines)
                                                 : "taps of " + std::to_string(kernel.outputs))
        + " of " + std::to_string(kernel.lanes) + " lanes";
}

/** Whether a run is in order beside its pointers. */
int32_t check_run(const kofn_conv_backward& plan, int64_t floats, const float* workspace, int32_t threads) {
    return floats > 0 && workspace == nullptr ? KOFN_CONV_NULL
         : threads < 1 || threads > plan.forward.threads ? KOFN_CONV_THREADS
                                                         : KOFN_CONV_OK;
}

}  // namespace

int32_t kofn_cpu_conv_backward_open(const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output,
                                    int32_t threads, kofn_conv_backward** plan) {
    if (conv == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    try {
        auto made = std::make_unique<kofn_conv_backward>();
        const int32_t status = begin(made->forward, conv, input, output, threads, false);
        if (status != KOFN_CONV_OK) {
            return status;
        }
        if (conv->activation != KOFN_IDENTITY || input->precision != KOFN_FP32 || !plan_data(*made, conv->indices)) {
            return KOFN_CONV_SHAPE;
        }
        plan_weights(*made, conv->indices);
        made->description = describe_passes(*made);
        *plan = made.release();
        return KOFN_CONV_OK;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cpu_conv_backward_close(kofn_conv_backward* plan) {
    delete plan;
}

int64_t kofn_cpu_conv_backward_data_workspace(const kofn_conv_backward* plan) {
    return plan->data.workspace;
}

int64_t kofn_cpu_conv_backward_weights_workspace(const kofn_conv_backward* plan) {
    return plan->weights.workspace;
}

const char* kofn_cpu_conv_backward_describe(const kofn_conv_backward* plan) {
    return plan->description.c_str();
}

int32_t kofn_cpu_conv_backward_data(const kofn_conv_backward* plan, const float* weights, const float* grad_output,
                                    float* grad_input, float* workspace, int32_t threads) {
    if (plan == nullptr || weights == nullptr || grad_output == nullptr || grad_input == nullptr) {
        return KOFN_CONV_NULL;
    }
    const int32_t status = check_run(*plan, plan->data.workspace, workspace, threads);
    if (status == KOFN_CONV_OK) {
        run_data(*plan, weights, grad_output, grad_input, workspace, threads);
    }
    return status;
}

int32_t kofn_cpu_conv_backward_weights(const kofn_conv_backward* plan, const float* input, const float* grad_output,
                                       float* grad_weights, float* grad_bias, float* workspace, int32_t threads) {
    if (plan == nullptr || input == nullptr || grad_output == nullptr || grad_weights == nullptr) {
        return KOFN_CONV_NULL;
    }
    const int32_t status = check_run(*plan, plan->weights.workspace, workspace, threads);
    if (status == KOFN_CONV_OK) {
        run_weights(*plan, input, grad_output, grad_weights, grad_bias, workspace, threads);
    }
    return status;
}
