#include <algorithm>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "cpu_plan.h"

/**
 * bf16: the loops compute with floats, so what they read is widened just before, and stays in the caches until they have
 * read it. Each task widens the strip of the input that it reads, unless its thread did so for the task before. Several
 * threads may widen the same strip for different outputs; sharing it would make them wait for each other.
 */
namespace kofn::conv {
namespace {

/** Floats of a strip at most, if a task may choose: half of what the second level of a core's cache holds. */
constexpr int64_t most_of_strip = int64_t{1} << 17;

int64_t round_up(int64_t x, int64_t multiple) {
    return (x + multiple - 1) / multiple * multiple;
}

int64_t largest(const Cut& cut) {
    return (cut.size + cut.parts - 1) / cut.parts;
}

/** Rows of a channel under so many lines of outputs; one stretch of the plane counts as one. */
int64_t rows_under(const kofn_conv_plan& plan, int64_t lines) {
    return plan.widening.by_rows ? (lines - 1) * plan.conv.stride_rows + plan.conv.rows : 1;
}

/** Floats of each under so many vectors of them. */
int64_t floats_under(const kofn_conv_plan& plan, int64_t lines, int64_t vectors) {
    const int64_t before = plan.widening.by_rows ? 0 : (lines - 1) * plan.widening.line;
    return round_up(before + (vectors - 1) * plan.grid.in_step + plan.widening.tail, 16);
}

/** What a task reads of each channel: one stretch of the plane, or apart those parts of rows that it needs. */
void plan_strips(kofn_conv_plan& plan) {
    Widening& w = plan.widening;
    const int64_t lines = largest(plan.lines), vectors = largest(plan.vectors);
    const int64_t stretch_tail = w.tail, row_tail = w.tail - (plan.conv.rows - 1) * plan.in_row;
    const int64_t row = (vectors - 1) * plan.grid.in_step + row_tail;
    w.by_rows = plan.grid.lines > 1 && round_up(row, 16) < plan.in_row;
    w.tail = w.by_rows ? row_tail : stretch_tail;
    // Longer runs of tiles share what their strips overlap in, if there are enough tasks nevertheless.
    const int64_t spare = plan.images * plan.lines.parts * plan.vectors.parts / (6 * plan.paying);
    const int64_t rows = rows_under(plan, lines);
    int64_t run = 1;
    while (run < std::min(spare, plan.vectors.parts)
           && rows * floats_under(plan, lines, (run + 1) * vectors) * plan.conv.inputs <= most_of_strip) {
        ++run;
    }
    plan.runs = {plan.vectors.parts, (plan.vectors.parts + run - 1) / run};
    const int64_t floats = floats_under(plan, lines, largest(plan.runs) * vectors);
    if (w.by_rows) {
        plan.in_row = floats;
        plan.grid.in_line = plan.conv.stride_rows * floats;
    }
    plan.in_channel = plane_of(rows * floats);
    plan.ahead = false;  // a strip is in the cache already
    w.desk = plan.in_channel * plan.conv.inputs + rest_of_tensor;
}

}  // namespace

bool plan_widening(kofn_conv_plan& plan) {
    const kofn_conv& c = plan.conv;
    Widening& w = plan.widening;
    w.needed = true;
    plan.stream = false;  // sixteen outputs are half a cache line
    if (!plan.split.needed) {
        w.origin = plan.in_origin;
        w.line = plan.grid.in_line;
        w.tail = (c.rows - 1) * plan.in_row + (c.columns - 1) * plan.in_floats
            + (plan.in_floats == 16 ? 16 : plan.kernel.lanes);
        plan_strips(plan);
    }
    w.weights = w.desk;
    w.desk = round_up(w.desk + int64_t{c.kept} * c.rows * c.columns * plan.kernel.outputs, 16);
    return plan.in_channel * c.inputs < most_floats;
}

int64_t this_thread() {
#if defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

void widen_strip(const kofn_conv_plan& plan, const uint16_t* input, const Strip& strip, float* desk) {
    const kofn_strides& in = plan.input_strides;
    const uint16_t* from = input + plan.widening.origin + strip.image * in.image + strip.line * plan.widening.line
        + strip.vector * plan.grid.in_step;
    const int64_t rows = rows_under(plan, strip.lines), floats = floats_under(plan, strip.lines, strip.vectors);
    for (int64_t channel = 0; channel < plan.conv.inputs; ++channel, from += in.plane) {
        for (int64_t r = 0; r < rows; ++r) {
            plan.variant->widen(from + r * in.row, floats, desk + channel * plan.in_channel + r * plan.in_row);
        }
    }
}

const float* widen_weights(const kofn_conv_plan& plan, int64_t first, int64_t count, float* desk) {
    float* weights = desk + plan.widening.weights;
    plan.variant->widen(plan.halves.get() + first, count, weights);
    return weights;
}

}  // namespace kofn::conv
