#include <algorithm>
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "../common/arithmetic.h"
#include "cpu_plan.h"

/** What a run does: columns that lie a stride apart become neighbours, then tasks are walked over. */
namespace kofn::conv {

namespace {

float as_float(float x) {
    return x;
}

float as_float(uint16_t x) {
    return from_bfloat16(x);
}

/** Every so manieth element becomes a neighbour. */
template <class Element>
void copy_strided(const Element* from, int64_t stride, int64_t count, float* to) {
    if (stride == 2) { // which compilers turn into shuffles of vectors
        for (int64_t l = 0; l < count; ++l) {
            to[l] = as_float(from[2 * l]);
        }
    } else {
        for (int64_t l = 0; l < count; ++l) {
            to[l] = as_float(from[stride * l]);
        }
    }
}

/** Moves the phases of one channel of one image apart. What lies between their rows and planes is zero: finite. */
template <class Element>
void split_channel(const kofn_conv_plan& plan, const Element* input, float* workspace, int64_t image, int64_t channel) {
    const kofn_conv& c = plan.conv;
    const kofn_strides& in = plan.input_strides;
    const Split& split = plan.split;
    const Element* corner = input + in.origin - c.padding_rows * in.row - c.padding_columns + image * in.image
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

/** Has the pixels of a small plane follow each other. What is left of the sixteen floats is zero. */
template <class Element>
void pack_channel(const kofn_conv_plan& plan, const Element* input, float* workspace, int64_t image, int64_t channel) {
    const kofn_conv& c = plan.conv;
    const kofn_strides& in = plan.input_strides;
    const Element* from = input + in.origin + image * in.image + channel * in.plane;
    float* to = workspace + image * plan.in_image + channel * plan.in_channel;
    for (int64_t row = 0; row < c.height; ++row) {
        copy_strided(from + row * in.row, 1, c.width, to + row * c.width);
    }
    std::fill(to + c.height * c.width, to + plan.in_channel, 0.0f);
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

/** A task: some tiles of one image that follow each other, for some sets of outputs. */
struct Task {
    int64_t group, part; /* the image, or which lanes of sixteen */
    int64_t line, lines, first_vector;
    int64_t set_part;
    const float* x; /* input of the first output at tap (0, 0), in channel 0 */
    float* desk;    /* of bf16 */
    bool stream;
};

/** So many elements further, as the plan stores them. */
template <class Bytes>
Bytes* further(const kofn_conv_plan& plan, Bytes* from, int64_t elements) {
    return from == nullptr ? nullptr : from + elements * (plan.widening.needed ? 2 : 4);
}

/** Some vectors of a task; `next`: so many come after them. */
void run_tile(const kofn_conv_plan& plan, const Work& work, const Task& task, int64_t vector_part, int64_t next) {
    const Grid& grid = plan.grid;
    const int64_t vector = plan.vectors.begin(vector_part), vectors = plan.vectors.end(vector_part) - vector;
    const TileFunction run = plan.variant->tile(plan.kernel, static_cast<int>(task.lines), static_cast<int>(vectors));

    const int64_t at_once = plan.kernel.outputs;
    const int64_t taps = int64_t{plan.conv.rows} * plan.conv.columns;
    const int64_t lists = plan.kernel.method == Kernel::shared ? 1 : at_once;
    const kofn_strides& out = plan.output_strides;
    const int64_t at =
        out.origin + task.group * out.image + task.part + task.line * grid.out_line + vector * grid.out_step;

    Tile tile{};
    tile.x = task.x + (vector - task.first_vector) * grid.in_step;
    tile.taps = plan.taps.data();
    tile.tap_count = taps;
    tile.in_row = plan.in_row;
    tile.in_step = grid.in_step;
    tile.prefetch = plan.prefetch;
    tile.out_line = grid.out_line;
    tile.out_step = grid.out_step;
    tile.activation = plan.conv.activation;
    tile.lines = static_cast<int32_t>(task.lines);
    tile.lanes = grid.lanes.data() + vector;
    tile.stream = task.stream;
    tile.bf16 = plan.widening.needed;
    tile.output = further(plan, static_cast<char*>(work.output), at);
    tile.residual = further(plan, static_cast<const char*>(work.residual), at);
    const int64_t end = plan.sets.end(task.set_part);
    int64_t set = plan.sets.begin(task.set_part);
    NextTile next_tile(plan, tile.x + vectors * grid.in_step, next, end - set);
    for (; set < end; ++set) {
        const int64_t first = set * at_once;
        const int64_t start = plan.starts[static_cast<size_t>(set)];
        tile.kept = plan.starts[static_cast<size_t>(set + 1)] - start;
        tile.offsets = plan.offsets.data() + start * lists;
        tile.weights = work.weights != nullptr
            ? work.weights + start * taps * at_once
            : widen_weights(plan, start * taps * at_once, tile.kept * taps * at_once, task.desk);
        tile.planes = plan.planes.data() + first;
        tile.bias = plan.bias.get() + first;
        tile.outputs = static_cast<int32_t>(std::min(at_once, plan.conv.outputs - first));
        if (next > 0) {
            next_tile.fetch();
        }
        run(tile);
    }
}

/**
 * One of the tasks, of which sets are innermost, then runs of vectors, lines and images. On the desk of each thread lies
 * the strip of a place, all but the sets.
 */
void run_task(const kofn_conv_plan& plan, const Work& work, int64_t index, int64_t* on_desks) {
    Task task{};
    task.set_part = index % plan.sets.parts;
    index /= plan.sets.parts;
    const int64_t place = index;
    const int64_t run = index % plan.runs.parts;
    index /= plan.runs.parts;
    const int64_t line_part = index % plan.lines.parts, image = index / plan.lines.parts;
    const int64_t begin = plan.runs.begin(run), end = plan.runs.end(run);
    task.group = image / plan.image_parts;
    task.part = image % plan.image_parts * plan.kernel.lanes;
    task.line = plan.lines.begin(line_part);
    task.lines = plan.lines.end(line_part) - task.line;
    task.first_vector = plan.vectors.begin(begin);
    task.stream = plan.stream && reinterpret_cast<uintptr_t>(work.output) % 64 == 0;
    const int64_t thread = plan.widening.needed ? this_thread() : 0;
    task.desk = work.desks + thread * plan.widening.desk;
    if (work.x == nullptr) {
        if (std::exchange(on_desks[thread], place) != place) {
            const int64_t vectors = plan.vectors.begin(end) - task.first_vector;
            const Strip strip{task.group, task.line, task.lines, task.first_vector, vectors};
            widen_strip(plan, static_cast<const uint16_t*>(work.input), strip, task.desk);
        }
        task.x = task.desk + task.part;
    } else {
        task.x = work.x + plan.in_origin + task.group * plan.in_image + task.part + task.line * plan.grid.in_line
            + task.first_vector * plan.grid.in_step;
    }
    for (int64_t part = begin; part < end; ++part) {
        const bool last = part + 1 == end;
        const int64_t next = last ? 0 : plan.vectors.end(part + 1) - plan.vectors.begin(part + 1);
        run_tile(plan, work, task, part, plan.ahead ? next : 0);
    }
#if defined(__x86_64__)
    if (task.stream) {
        _mm_sfence();  // what went past the caches is there before another thread hears that the task is done
    }
#endif
}

template <class Element>
const float* split_input(const kofn_conv_plan& plan, const Element* input, float* workspace, int32_t threads) {
    const int64_t channels = plan.conv.inputs;
    const auto move = plan.split.packed ? pack_channel<Element> : split_channel<Element>;
    for_each(std::min(threads, plan.paying), plan.images * channels,
             [&](int64_t i) { move(plan, input, workspace, i / channels, i % channels); });
    float* rest = workspace + plan.images * plan.in_image;
    std::fill(rest, rest + rest_of_tensor, 0.0f);
    return workspace;
}

}  // namespace

const float* see_input(const kofn_conv_plan& plan, const void* input, float* workspace, int32_t threads) {
    if (!plan.widening.needed) {
        const float* floats = static_cast<const float*>(input);
        return plan.split.needed ? split_input(plan, floats, workspace, threads) : floats;
    }
    const uint16_t* halves = static_cast<const uint16_t*>(input);
    return plan.split.needed ? split_input(plan, halves, workspace, threads) : nullptr;
}

void walk(const kofn_conv_plan& plan, const Work& work, int32_t threads) {
    const int64_t tasks = plan.images * plan.lines.parts * plan.runs.parts * plan.sets.parts;
    int64_t on_desks[most_threads];
    std::fill(on_desks, on_desks + plan.paying, -1);
    for_each(std::min(threads, plan.paying), tasks, [&](int64_t task) { run_task(plan, work, task, on_desks); });
}

}  // namespace kofn::conv
