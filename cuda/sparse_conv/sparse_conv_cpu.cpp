#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

#include "../gumbel_topk/gumbel_topk.h"
#include "checks.h"
#include "cpu_plan.h"

/** The calls on the CPU: checks, plans, and the walk over tasks. */
namespace kofn::conv {
namespace {

/** Whether the tensors are those of the convolution. Tensors may have more channels than it uses. */
int32_t check_tensors(const kofn_conv& c, const kofn_tensor& in, const kofn_tensor& out) {
    const bool fits = in.form == out.form && in.batch == out.batch && in.channels >= c.inputs && in.height == c.height
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
bool see_input(kofn_conv_plan& plan) {
    const kofn_conv& c = plan.conv;
    const kofn_strides& in = plan.input_strides;
    const bool batch = plan.input.form == KOFN_BATCH16;
    plan.in_floats = batch ? 16 : 1;
    plan.image_parts = batch ? 16 / plan.variant->widest : 1;
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

/** Every so manieth float. */
void copy_strided(const float* from, int64_t stride, int64_t count, float* to) {
    if (stride == 2) { // which compilers turn into shuffles of vectors
        for (int64_t l = 0; l < count; ++l) {
            to[l] = from[2 * l];
        }
    } else {
        for (int64_t l = 0; l < count; ++l) {
            to[l] = from[stride * l];
        }
    }
}

/** Moves the phases of one channel of one image apart. */
void split_channel(const kofn_conv_plan& plan, const float* input, float* workspace, int64_t image, int64_t channel) {
    const kofn_conv& c = plan.conv;
    const kofn_strides& in = plan.input_strides;
    const Split& split = plan.split;
    const float* corner = input + in.origin - c.padding_rows * in.row - c.padding_columns + image * in.image
        + channel * in.plane;
    float* to = workspace + image * plan.in_image + channel * plan.in_channel;
    for (int64_t q = 0; q < split.phases; ++q, to += split.plane) {
        // The last tap of some phases lies a column further than others.
        const int64_t columns = plan.output.width + (c.columns - 1 - q) / c.stride_columns;
        for (int64_t j = 0; j < split.rows; ++j) {
            const int64_t from = j / split.stride * c.stride_rows + j % split.stride;
            copy_strided(corner + from * in.row + q, c.stride_columns, columns, to + j * split.row);
        }
    }
}

/** One task: some lines of some vectors of one image, for some sets of outputs. */
void run_task(const kofn_conv_plan& plan, int64_t task, const float* x, float* output, const float* residual) {
    const int64_t set_part = task % plan.sets.parts;
    task /= plan.sets.parts;
    const int64_t vector_part = task % plan.vectors.parts;
    task /= plan.vectors.parts;
    const int64_t line_part = task % plan.lines.parts, image = task / plan.lines.parts;

    const Grid& grid = plan.grid;
    const int64_t line = plan.lines.begin(line_part), vector = plan.vectors.begin(vector_part);
    const int64_t lines = plan.lines.end(line_part) - line, vectors = plan.vectors.end(vector_part) - vector;
    const TileFunction run = plan.variant->tile(plan.kernel, static_cast<int>(lines), static_cast<int>(vectors));

    const int64_t group = image / plan.image_parts, part = image % plan.image_parts * plan.kernel.lanes;
    const int64_t at_once = plan.kernel.outputs, kept = plan.conv.kept;
    const int64_t taps = static_cast<int64_t>(plan.taps.size());
    const int64_t lists = plan.kernel.method == Kernel::shared ? 1 : at_once;
    const kofn_strides& out = plan.output_strides;
    const int64_t at = out.origin + group * out.image + part + line * grid.out_line + vector * grid.out_step;

    Tile tile{};
    tile.x = x + plan.in_origin + group * plan.in_image + part + line * grid.in_line + vector * grid.in_step;
    tile.kept = kept;
    tile.taps = plan.taps.data();
    tile.tap_count = taps;
    tile.in_row = plan.in_row;
    tile.in_step = grid.in_step;
    tile.prefetch = plan.prefetch;
    tile.out_plane = out.plane;
    tile.out_line = grid.out_line;
    tile.out_step = grid.out_step;
    tile.activation = plan.conv.activation;
    tile.lanes = grid.lanes.data() + vector;
    for (int64_t set = plan.sets.begin(set_part); set < plan.sets.end(set_part); ++set) {
        const int64_t first = set * at_once;
        tile.offsets = plan.offsets.data() + set * kept * lists;
        tile.weights = plan.weights.get() + set * kept * taps * at_once;
        tile.bias = plan.bias.get() + first;
        tile.outputs = static_cast<int32_t>(std::min(at_once, plan.conv.outputs - first));
        tile.output = output + at + first * out.plane;
        tile.residual = residual == nullptr ? nullptr : residual + at + first * out.plane;
        run(tile);
    }
}

}  // namespace
}  // namespace kofn::conv

using namespace kofn::conv;

int32_t kofn_cpu_conv_open(const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output, int32_t threads,
                           kofn_conv_plan** plan) {
    if (conv == nullptr || input == nullptr || output == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    kofn_strides in, out;
    int32_t status = check_shape(*conv);
    status = status != KOFN_CONV_OK ? status : kofn_tensor_strides(input, &in);
    status = status != KOFN_CONV_OK ? status : kofn_tensor_strides(output, &out);
    status = status != KOFN_CONV_OK ? status : check_tensors(*conv, *input, *output);
    status = status != KOFN_CONV_OK ? status : in_range(threads, 1, most_threads) ? KOFN_CONV_OK : KOFN_CONV_THREADS;
    status = status != KOFN_CONV_OK ? status : check_indices(*conv);
    if (status != KOFN_CONV_OK) {
        return status;
    }
    try {
        auto made = std::make_unique<kofn_conv_plan>();
        made->conv = *conv;
        made->conv.indices = nullptr;
        made->conv.weights = made->conv.bias = nullptr;
        made->input = *input;
        made->output = *output;
        made->input_strides = in;
        made->output_strides = out;
        made->threads = threads;
        made->variant = &variant_in_use();
        if (!see_input(*made)) {
            return KOFN_CONV_SHAPE;
        }
        choose(*made);
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

int64_t kofn_cpu_conv_workspace(const kofn_conv_plan* plan) {
    return plan->split.needed ? plan->images * plan->in_image + rest_of_tensor : 0;
}

int64_t kofn_cpu_conv_bytes(const kofn_conv_plan* plan) {
    return plan->bytes;
}

const char* kofn_cpu_conv_describe(const kofn_conv_plan* plan) {
    return plan->description.c_str();
}

int32_t kofn_cpu_conv_run(const kofn_conv_plan* plan, const float* input, float* output, const float* residual,
                          float* workspace, int32_t threads) {
    if (plan == nullptr || input == nullptr || output == nullptr || (plan->split.needed && workspace == nullptr)) {
        return KOFN_CONV_NULL;
    }
    if (threads < 1 || threads > plan->threads) {
        return KOFN_CONV_THREADS;
    }
    const float* x = input;
    if (plan->split.needed) {
        const int64_t channels = plan->conv.inputs;
        for_each(threads, plan->images * channels,
                 [&](int64_t i) { split_channel(*plan, input, workspace, i / channels, i % channels); });
        x = workspace;
    }
    const int64_t tasks = plan->images * plan->lines.parts * plan->vectors.parts * plan->sets.parts;
    for_each(threads, tasks, [&](int64_t task) { run_task(*plan, task, x, output, residual); });
    return KOFN_CONV_OK;
}
