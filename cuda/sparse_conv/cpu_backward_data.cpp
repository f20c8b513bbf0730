#include <algorithm>
#include <numeric>

#include "cpu_backward.h"

/** The gradient of the data: transposed lists, and convolutions of stride 1 with the loops of the forward pass. */
namespace kofn::conv {
namespace {

int64_t whole_lines(int64_t floats) {
    return (floats + 15) / 16 * 16;
}

/** For each input, the kernels that read it and their outputs, ascending. */
struct Transposed {
    std::vector<int64_t> starts;           /* [inputs + 1] */
    std::vector<int32_t> outputs, kernels; /* [O·k]; a kernel is its place in [O/b][k][b] */

    int64_t length(int64_t input) const {
        return starts[static_cast<size_t>(input + 1)] - starts[static_cast<size_t>(input)];
    }
};

Transposed transposed(const kofn_conv& c, const int32_t* indices) {
    Transposed lists;
    lists.starts.assign(static_cast<size_t>(c.inputs) + 1, 0);
    const int64_t pairs = int64_t{c.outputs} * c.kept;
    for (int64_t entry = 0; entry < pairs / c.share; ++entry) {
        lists.starts[static_cast<size_t>(indices[entry]) + 1] += c.share;
    }
    std::partial_sum(lists.starts.begin(), lists.starts.end(), lists.starts.begin());
    lists.outputs.resize(static_cast<size_t>(pairs));
    lists.kernels.resize(static_cast<size_t>(pairs));
    std::vector<int64_t> next(lists.starts.begin(), lists.starts.end() - 1);
    for (int32_t o = 0; o < c.outputs; ++o) {
        for (int32_t i = 0; i < c.kept; ++i) {
            const int64_t entry = int64_t{o / c.share} * c.kept + i;
            const auto at = static_cast<size_t>(next[static_cast<size_t>(indices[entry])]++);
            lists.outputs[at] = o;
            lists.kernels[at] = static_cast<int32_t>(entry * c.share + o % c.share);
        }
    }
    return lists;
}

/** Of one axis: which taps hit the pixels from `first` on that lie a stride apart, and where in dy. */
struct Hits {
    int32_t first, taps, pixels;
    int32_t before, behind; /* pixels of halo that they need */
    int32_t begin;          /* where the first of the taps, in the order of dy, lies for the first pixel */
};

Hits hits(int32_t pixel, int32_t size, int32_t outputs, int32_t taps, int32_t stride, int32_t padding) {
    Hits h{};
    h.first = (pixel + padding) % stride;
    h.taps = taps > h.first ? (taps - 1 - h.first) / stride + 1 : 0;
    h.pixels = (size - pixel + stride - 1) / stride;
    if (h.taps > 0) {
        h.begin = (pixel + padding) / stride - (h.taps - 1);
        h.before = -h.begin;
        h.behind = h.begin + h.taps - 1 + h.pixels - outputs;
    }
    return h;
}

Hits row_hits(const kofn_conv_plan& f, int32_t row) {
    return hits(row, f.conv.height, f.output.height, f.conv.rows, f.conv.stride_rows, f.conv.padding_rows);
}

Hits column_hits(const kofn_conv_plan& f, int32_t column) {
    return hits(column, f.conv.width, f.output.width, f.conv.columns, f.conv.stride_columns, f.conv.padding_columns);
}

/** Where a phase writes: into dx itself, or into planes of its own. */
void see_output(const kofn_conv_backward& plan, Phase& phase, int64_t& floats) {
    const kofn_conv_plan& f = plan.forward;
    kofn_conv_plan& p = phase.plan;
    kofn_strides& to = p.output_strides;
    if (!plan.data.apart) {
        to = f.input_strides;
        to.origin += phase.row * to.row + phase.column * f.in_floats;
        to.row *= f.conv.stride_rows;
        p.out_floats = f.in_floats * f.conv.stride_columns;
        return;
    }
    // The distance of rows is that of dy where possible: see grid_of in cpu_choose.cpp.
    const int64_t row = p.in_row >= p.output.width ? p.in_row : pitch_of(p.output.width);
    const int64_t plane = plane_of(p.output.height * row);
    to = {floats, row, plane, plane * p.output.channels, 0};
    p.out_floats = 1;
    floats += to.image * p.images;
}

/** Lists in the order in which the chosen loops read them; lists that run in lock-step are filled up with weights 0. */
void list_phase(Phase& phase, const Transposed& lists, const std::vector<int32_t>& sorted) {
    kofn_conv_plan& p = phase.plan;
    const int64_t at_once = p.kernel.outputs, sets = p.sets.size, inputs = static_cast<int64_t>(sorted.size());
    const bool hit = phase.first_row >= 0;
    p.starts.push_back(0);
    for (int64_t set = 0; set < sets; ++set) {
        // The first of a set has the longest list.
        const int64_t longest = hit ? lists.length(sorted[static_cast<size_t>(set * at_once)]) : 0;
        for (int64_t j = 0; j < longest; ++j) {
            for (int64_t place = 0; place < at_once; ++place) {
                const int64_t at = set * at_once + place;
                const int32_t input = at < inputs ? sorted[static_cast<size_t>(at)] : -1;
                const bool exists = input >= 0 && j < lists.length(input);
                const auto entry = static_cast<size_t>(exists ? lists.starts[static_cast<size_t>(input)] + j : 0);
                p.offsets.push_back(exists ? static_cast<int32_t>(lists.outputs[entry] * p.in_channel) : 0);
                phase.kernels.push_back(exists ? lists.kernels[entry] : -1);
            }
        }
        p.starts.push_back(p.starts.back() + longest);
    }
    p.offsets.insert(p.offsets.end(), static_cast<size_t>(at_once), 0); // the loops prefetch from behind the last list
    for (const int32_t input : sorted) {
        p.planes.push_back(input * p.output_strides.plane);
    }
    p.bias = aligned<float>(sets * at_once);
}

Phase make_phase(const kofn_conv_backward& plan, int32_t row, int32_t column, const kofn_strides& dy,
                 int64_t& floats) {
    const kofn_conv_plan& f = plan.forward;
    const Hits rows = row_hits(f, row), columns = column_hits(f, column);
    const bool hit = rows.taps > 0 && columns.taps > 0;
    Phase phase{};
    phase.row = row;
    phase.column = column;
    phase.first_row = hit ? rows.first : -1;
    phase.first_column = hit ? columns.first : -1;
    kofn_conv_plan& p = phase.plan;
    p.conv = f.conv;
    p.conv.inputs = f.conv.outputs;
    p.conv.outputs = f.conv.inputs;
    p.conv.rows = hit ? rows.taps : 1;
    p.conv.columns = hit ? columns.taps : 1;
    p.conv.stride_rows = p.conv.stride_columns = p.conv.share = 1;
    // Lists of the mean length, for the choice of loops.
    p.conv.kept = std::max<int32_t>(1, static_cast<int32_t>(int64_t{f.conv.outputs} * f.conv.kept / f.conv.inputs));
    p.input = plan.data.gradient;
    // A convolution of dy by itself, whose padding puts the first tap where it hits.
    p.conv.height = p.input.height;
    p.conv.width = p.input.width;
    p.conv.padding_rows = rows.before;
    p.conv.padding_columns = columns.before;
    p.output = {f.input.form, f.input.batch, f.conv.inputs, rows.pixels, columns.pixels, 0, KOFN_FP32};
    p.threads = f.threads;
    p.variant = f.variant;
    p.in_floats = f.in_floats;
    p.images = f.images;
    p.image_parts = f.image_parts;
    p.in_origin = dy.origin + (hit ? rows.begin * dy.row + columns.begin * p.in_floats : 0);
    p.in_row = dy.row;
    p.in_channel = dy.plane;
    p.in_image = dy.image;
    see_output(plan, phase, floats);
    choose(p, false);
    list_taps(p);
    return phase;
}

/** The weights of a phase as its loops read them; taps that come first in dy are the last of the kernel. */
void pack_phase(const Phase& phase, const kofn_conv& c, const float* weights, float* packed, int32_t threads) {
    const kofn_conv_plan& p = phase.plan;
    const int64_t at_once = p.kernel.outputs, taps = static_cast<int64_t>(p.taps.size());
    for_each(threads, p.sets.size, [&](int64_t set) {
        const int64_t end = p.starts[static_cast<size_t>(set + 1)];
        for (int64_t entry = p.starts[static_cast<size_t>(set)]; entry < end; ++entry) {
            for (int64_t place = 0; place < at_once; ++place) {
                const int32_t kernel = phase.kernels[static_cast<size_t>(entry * at_once + place)];
                const float* from = weights + int64_t{kernel} * c.rows * c.columns;
                float* to = packed + entry * taps * at_once + place;
                for (int32_t s = p.conv.columns - 1; s >= 0; --s) {
                    for (int32_t r = p.conv.rows - 1; r >= 0; --r, to += at_once) {
                        const int32_t row = phase.first_row + r * c.stride_rows;
                        const int32_t column = phase.first_column + s * c.stride_columns;
                        *to = kernel < 0 ? 0.0f : from[row * c.columns + column];
                    }
                }
            }
        }
    });
}

/** Planes that were computed apart become the columns of dx. */
void interleave(const kofn_conv_backward& plan, const float* apart, float* grad_input, int32_t threads) {
    const kofn_conv_plan& f = plan.forward;
    const int64_t channels = f.conv.inputs;
    for_each(threads, f.images * channels, [&](int64_t task) {
        const int64_t image = task / channels, channel = task % channels;
        float* plane = grad_input + f.input_strides.origin + image * f.input_strides.image
            + channel * f.input_strides.plane;
        for (const Phase& phase : plan.data.phases) {
            const kofn_strides& s = phase.plan.output_strides;
            const float* from = apart + s.origin + image * s.image + channel * s.plane;
            for (int64_t h = 0; h < phase.plan.output.height; ++h, from += s.row) {
                float* to = plane + (phase.row + h * f.conv.stride_rows) * f.input_strides.row + phase.column;
                for (int64_t w = 0; w < phase.plan.output.width; ++w) {
                    to[w * f.conv.stride_columns] = from[w];
                }
            }
        }
    });
}

}  // namespace

bool plan_data(kofn_conv_backward& plan, const int32_t* indices) {
    const kofn_conv_plan& f = plan.forward;
    const kofn_conv& c = f.conv;
    DataPass& data = plan.data;
    const int32_t rows = std::min(c.stride_rows, c.height), columns = std::min(c.stride_columns, c.width);
    int32_t halo = 0;
    for (int32_t row = 0; row < rows; ++row) {
        halo = std::max({halo, row_hits(f, row).before, row_hits(f, row).behind});
    }
    for (int32_t column = 0; column < columns; ++column) {
        halo = std::max({halo, column_hits(f, column).before, column_hits(f, column).behind});
    }
    data.copied = halo > f.output.halo;
    data.apart = f.output.form == KOFN_PLANES && c.stride_columns > 1;
    data.gradient = f.output;
    kofn_strides dy = f.output_strides;
    if (data.copied) {
        data.gradient.channels = c.outputs;
        data.gradient.halo = halo;
        dy = strides_of(data.gradient);
        if (dy.image >= most_floats) {
            return false;
        }
        data.copy = whole_lines(dy.elements);
    }
    const Transposed lists = transposed(c, indices);
    std::vector<int32_t> sorted(static_cast<size_t>(c.inputs));
    std::iota(sorted.begin(), sorted.end(), 0);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](int32_t a, int32_t b) { return lists.length(a) > lists.length(b); });
    int64_t floats = 0;
    for (int32_t row = 0; row < rows; ++row) {
        for (int32_t column = 0; column < columns; ++column) {
            data.phases.push_back(make_phase(plan, row, column, dy, floats));
            list_phase(data.phases.back(), lists, sorted);
        }
    }
    data.workspace = data.copy + whole_lines(floats);
    for (Phase& phase : data.phases) {
        phase.weights = data.workspace;
        data.workspace += whole_lines(static_cast<int64_t>(phase.kernels.size() * phase.plan.taps.size()));
    }
    return true;
}

void run_data(const kofn_conv_backward& plan, const float* weights, const float* grad_output, float* grad_input,
              float* workspace, int32_t threads) {
    const DataPass& data = plan.data;
    const float* dy = grad_output;
    if (data.copied) {
        pad(data.gradient, plan.forward.output, grad_output, workspace, threads);
        dy = workspace;
    }
    float* apart = workspace + data.copy;
    for (const Phase& phase : data.phases) {
        pack_phase(phase, plan.forward.conv, weights, workspace + phase.weights, threads);
        float* output = data.apart ? apart : grad_input;
        walk(phase.plan, {workspace + phase.weights, dy, dy, output, nullptr, nullptr}, threads);
    }
    if (data.apart) {
        interleave(plan, apart, grad_input, threads);
    }
}

}  // namespace kofn::conv
