#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "../gumbel_topk/gumbel_topk.h"
#include "checks.h"
#include "cpu_plan.h"

/** The calls on the CPU: checks and plans. */
namespace kofn::conv {
namespace {

/** Whether the tensors are those of the convolution. Tensors may have more channels than it uses. */
int32_t check_tensors(const kofn_conv& c, const kofn_tensor& in, const kofn_tensor& out) {
    const bool fits = in.form == out.form && in.precision == out.precision && in.batch == out.batch && in.channels >= c.inputs && in.height == c.height
        && in.width == c.width && in.halo >= std::max(c.padding_rows, c.padding_columns) && out.channels >= c.outputs
        && out.height == outputs_along(c.height, c.rows, c.stride_rows, c.padding_rows)
        && out.width == outputs_along(c.width, c.columns, c.stride_columns, c.padding_columns);
    return fits ? KOFN_CONV_OK : KOFN_CONV_LAYOUT;
}

/** The variant that kofn_cpu_use_variant chose, or the best one. */
const Variant& variant_in_use() {
    const char* name = kofn_cpu_variant();
#if defined(KOFN_HAS_avx512)
    if (std::strcmp(name, avx512::variant.name) == 0) {
        return avx512::variant;
    }
#endif
#if defined(KOFN_HAS_avx2)
    if (std::strcmp(name, avx2::variant.name) == 0) {
        return avx2::variant;
    }
#endif
    static_cast<void>(name);
    return portable::variant;
}

/** How the loops see the input; false if a split image is too large. */
bool lay_input(kofn_conv_plan& plan) {
    const kofn_conv& c = plan.conv;
    const kofn_strides& in = plan.input_strides;
    const bool batch = plan.input.form == KOFN_BATCH16;
    plan.in_floats = batch ? 16 : 1;
    plan.image_parts = batch ? 16 / plan.variant->widest : 1;
    plan.out_floats = plan.in_floats;
    plan.images = (batch ? (plan.input.batch + 15) / 16 : plan.input.batch) * plan.image_parts;
    plan.split.needed = !batch && c.stride_columns > 1;
    if (!plan.split.needed) {
        plan.in_origin = in.origin - c.padding_rows * in.row - c.padding_columns * plan.in_floats;
        plan.in_row = in.row;
        plan.in_channel = in.plane;
        plan.in_image = in.image;
        return true;
    }
    Split& split = plan.split;
    split.phases = std::min(c.stride_columns, c.columns);
    split.stride = std::min(c.stride_rows, c.rows);
    split.rows = (plan.output.height - 1) * split.stride + c.rows;
    split.columns = plan.output.width + (c.columns - 1) / c.stride_columns;
    // The distance of rows is that of the output where possible: see grid_of in cpu_choose.cpp.
    split.row = plan.output_strides.row >= split.columns ? plan.output_strides.row : pitch_of(split.columns);
    split.plane = plane_of(split.rows * split.row);
    plan.in_origin = 0;
    plan.in_row = split.row;
    plan.in_channel = split.plane * split.phases;
    plan.in_image = plan.in_channel * c.inputs;
    return plan.in_image < most_floats;
}

/** What a split input takes of the workspace. */
int64_t floats_of_split(const kofn_conv_plan& plan) {
    return plan.split.needed ? plan.images * plan.in_image + rest_of_tensor : 0;
}

}  // namespace

int32_t begin(kofn_conv_plan& plan, const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output,
              int32_t threads, bool values) {
    if (conv == nullptr || input == nullptr || output == nullptr) {
        return KOFN_CONV_NULL;
    }
    kofn_strides in, out;
    int32_t status = check_shape(*conv, values);
    status = status != KOFN_CONV_OK ? status : kofn_tensor_strides(input, &in);
    status = status != KOFN_CONV_OK ? status : kofn_tensor_strides(output, &out);
    status = status != KOFN_CONV_OK ? status : check_tensors(*conv, *input, *output);
    status = status != KOFN_CONV_OK ? status : in_range(threads, 1, most_threads) ? KOFN_CONV_OK : KOFN_CONV_THREADS;
    status = status != KOFN_CONV_OK ? status : check_indices(*conv);
    if (status != KOFN_CONV_OK) {
        return status;
    }
    plan.conv = *conv;
    plan.conv.indices = nullptr;
    plan.conv.weights = plan.conv.bias = nullptr;
    plan.input = *input;
    plan.output = *output;
    plan.input_strides = in;
    plan.output_strides = out;
    plan.threads = threads;
    plan.variant = &variant_in_use();
    return lay_input(plan) ? KOFN_CONV_OK : KOFN_CONV_SHAPE;
}

}  // namespace kofn::conv

using namespace kofn::conv;

int32_t kofn_cpu_conv_open(const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output, int32_t threads,
                           kofn_conv_plan** plan) {
    if (plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    try {
        auto made = std::make_unique<kofn_conv_plan>();
        const int32_t status = begin(*made, conv, input, output, threads, true);
        if (status != KOFN_CONV_OK) {
            return status;
        }
        choose(*made, true);
        if (input->precision == KOFN_BF16 && !plan_widening(*made)) {
            return KOFN_CONV_SHAPE;
        }
        pack(*made, *conv);
        *plan = made.release();
        return KOFN_CONV_OK;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cpu_conv_close(kofn_conv_plan* plan) {
    delete plan;
}

int32_t kofn_cpu_conv_set_weights(kofn_conv_plan* plan, const float* weights, const float* bias, int32_t threads) {
    if (plan == nullptr || weights == nullptr) {
        return KOFN_CONV_NULL;
    }
    if (threads < 1 || threads > plan->threads) {
        return KOFN_CONV_THREADS;
    }
    pack_values(*plan, weights, bias, threads);
    return KOFN_CONV_OK;
}

int64_t kofn_cpu_conv_workspace(const kofn_conv_plan* plan) {
    return floats_of_split(*plan) + plan->widening.desk * plan->paying;
}

int64_t kofn_cpu_conv_bytes(const kofn_conv_plan* plan) {
    return plan->bytes;
}

const char* kofn_cpu_conv_describe(const kofn_conv_plan* plan) {
    return plan->description.c_str();
}

int32_t kofn_cpu_conv_run(const kofn_conv_plan* plan, const void* input, void* output, const void* residual,
                          float* workspace, int32_t threads) {
    const bool copies = plan != nullptr && (plan->split.needed || plan->widening.needed);
    if (plan == nullptr || input == nullptr || output == nullptr || (copies && workspace == nullptr)) {
        return KOFN_CONV_NULL;
    }
    if (threads < 1 || threads > plan->threads) {
        return KOFN_CONV_THREADS;
    }
    const float* x = see_input(*plan, input, workspace, threads);
    walk(*plan, {plan->weights.get(), input, x, output, residual, workspace + floats_of_split(*plan)}, threads);
    return KOFN_CONV_OK;
}
