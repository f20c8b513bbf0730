#include <algorithm>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu_plan.h"

/** What a run does: columns that lie a stride apart become neighbours, then tasks are walked over. */
namespace kofn::conv {

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

namespace {

/** Moves the phases of one channel of one image apart. What lies between their rows and planes is zero: finite. */
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
            std::fill(to + j * split.row + columns, to + (j + 1) * split.row, 0.0f);
        }
        std::fill(to + split.rows * split.row, to + split.plane, 0.0f);
    }
}

/**
 * Has the cache fetch the input of the next tile, some channels at a time, while this tile is computed. 1×1 kernels do
 * so little with what they load that large planes otherwise leave them waiting for memory.
 */
class NextTile {
public:
    NextTile(const kofn_conv_plan& plan, const float* x, int64_t vectors, int64_t times)
        : plan_(plan), x_(x), vectors_(vectors), at_once_((plan.conv.inputs + times - 1) / times) {}

    void fetch() {
        const int64_t end = std::min<int64_t>(channel_ + at_once_, plan_.conv.inputs);
        for (; channel_ < end; ++channel_) {
            const float* line = x_ + channel_ * plan_.in_channel;
            for (int64_t v = 0; v < vectors_; ++v) {
                __builtin_prefetch(line + v * plan_.grid.in_step);
            }
        }
    }

private:
    const kofn_conv_plan& plan_;
    const float* x_;
    int64_t vectors_, at_once_, channel_ = 0;
};

/** What a run works on. */
struct Work {
    const float *weights, *x;
    float* output;
    const float* residual;
    bool stream;
};

/** Some lines of some vectors of one image, for some sets of outputs; `next`: so many vectors come after them. */
void run_tile(const kofn_conv_plan& plan, const Work& work, int64_t image, int64_t line_part, int64_t vector_part,
              int64_t set_part, int64_t next) {
    const Grid& grid = plan.grid;
    const int64_t line = plan.lines.begin(line_part), vector = plan.vectors.begin(vector_part);
    const int64_t lines = plan.lines.end(line_part) - line, vectors = plan.vectors.end(vector_part) - vector;
    const TileFunction run = plan.variant->tile(plan.kernel, static_cast<int>(lines), static_cast<int>(vectors));

    const int64_t group = image / plan.image_parts, part = image % plan.image_parts * plan.kernel.lanes;
    const int64_t at_once = plan.kernel.outputs;
    const int64_t taps = static_cast<int64_t>(plan.taps.size());
    const int64_t lists = plan.kernel.method == Kernel::shared ? 1 : at_once;
    const kofn_strides& out = plan.output_strides;
    const int64_t at = out.origin + group * out.image + part + line * grid.out_line + vector * grid.out_step;

    Tile tile{};
    tile.x = work.x + plan.in_origin + group * plan.in_image + part + line * grid.in_line + vector * grid.in_step;
    tile.taps = plan.taps.data();
    tile.tap_count = taps;
    tile.in_row = plan.in_row;
    tile.in_step = grid.in_step;
    tile.prefetch = plan.prefetch;
    tile.out_line = grid.out_line;
    tile.out_step = grid.out_step;
    tile.activation = plan.conv.activation;
    tile.lanes = grid.lanes.data() + vector;
    tile.stream = work.stream;
    const int64_t end = plan.sets.end(set_part);
    int64_t set = plan.sets.begin(set_part);
    NextTile next_tile(plan, tile.x + vectors * grid.in_step, next, end - set);
    for (; set < end; ++set) {
        const int64_t first = set * at_once;
        const int64_t start = plan.starts[static_cast<size_t>(set)];
        tile.kept = plan.starts[static_cast<size_t>(set + 1)] - start;
        tile.offsets = plan.offsets.data() + start * lists;
        tile.weights = work.weights + start * taps * at_once;
        tile.planes = plan.planes.data() + first;
        tile.bias = plan.bias.get() + first;
        tile.outputs = static_cast<int32_t>(std::min(at_once, plan.conv.outputs - first));
        tile.output = work.output + at;
        tile.residual = work.residual == nullptr ? nullptr : work.residual + at;
        if (next > 0) {
            next_tile.fetch();
        }
        run(tile);
    }
}

/** One task: tiles that follow each other. */
void run_task(const kofn_conv_plan& plan, const Work& work, int64_t task) {
    const int64_t set_part = task % plan.sets.parts;
    task /= plan.sets.parts;
    const int64_t run = task % plan.runs.parts;
    task /= plan.runs.parts;
    const int64_t line_part = task % plan.lines.parts, image = task / plan.lines.parts;
    const int64_t end = plan.runs.end(run);
    for (int64_t part = plan.runs.begin(run); part < end; ++part) {
        const bool last = part + 1 == end;
        const int64_t next = last ? 0 : plan.vectors.end(part + 1) - plan.vectors.begin(part + 1);
        run_tile(plan, work, image, line_part, part, set_part, plan.ahead ? next : 0);
    }
#if defined(__x86_64__)
    if (work.stream) {
        _mm_sfence();  // what went past the caches is there before another thread hears that the task is done
    }
#endif
}

}  // namespace

const float* split_input(const kofn_conv_plan& plan, const float* input, float* workspace, int32_t threads) {
    if (!plan.split.needed) {
        return input;
    }
    const int64_t channels = plan.conv.inputs;
    for_each(std::min(threads, plan.paying), plan.images * channels,
             [&](int64_t i) { split_channel(plan, input, workspace, i / channels, i % channels); });
    float* rest = workspace + plan.images * plan.in_image;
    std::fill(rest, rest + rest_of_tensor, 0.0f);
    return workspace;
}

void walk(const kofn_conv_plan& plan, const float* weights, const float* x, float* output, const float* residual,
          int32_t threads) {
    const bool stream = plan.stream && reinterpret_cast<uintptr_t>(output) % 64 == 0;
    const Work work{weights, x, output, residual, stream};
    const int64_t tasks = plan.images * plan.lines.parts * plan.runs.parts * plan.sets.parts;
    for_each(std::min(threads, plan.paying), tasks, [&](int64_t task) { run_task(plan, work, task); });
}

}  // namespace kofn::conv
