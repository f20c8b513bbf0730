#include <algorithm>
#include <limits>

#include "cpu_backward.h"

/** The gradient of the kept kernels: which loops run, over which blocks, and the sum of the parts of the batch. */
namespace kofn::conv {
namespace {

int64_t divide_up(int64_t x, int64_t by) {
    return (x + by - 1) / by;
}

/** Time for one kernel's worth of taps over an image, in multiplications of the widest vectors. */
double cost_of(const kofn_conv_plan& f, const Grid& grid, const GradientKernel& kernel, double loads) {
    const int64_t strip = kernel.method == GradientKernel::rows ? kernel.lines : 1;
    const int64_t strips = grid.lines / strip, single = grid.lines % strip;
    // Rows that fill no strip are loaded one by one: 10 loads for 9 multiplications, or 1.1.
    const double lines = static_cast<double>(strips * strip) * (1 + loads) + static_cast<double>(single) * 2.1;
    return lines * static_cast<double>(grid.vectors) * kernel.lanes / f.variant->widest;
}

void choose_loops(const kofn_conv_plan& f, WeightsPass& pass) {
    const kofn_conv& c = f.conv;
    const bool batch = f.output.form == KOFN_BATCH16;
    const bool rows = c.rows == 3 && c.columns == 3 && c.stride_rows == c.stride_columns && c.stride_rows <= 2;
    double best = std::numeric_limits<double>::infinity();
    const auto consider = [&](const GradientKernel& kernel) {
        double loads;
        if (f.variant->gradient(kernel, loads) == nullptr) {
            return;
        }
        Grid grid = grid_of(f, kernel.lanes, kernel.method == GradientKernel::rows);
        const double cost = cost_of(f, grid, kernel, loads);
        if (cost < best) {
            best = cost;
            pass.kernel = kernel;
            pass.grid = std::move(grid);
        }
    };
    const int narrowest = batch ? f.variant->widest : f.variant->narrowest;
    for (int lanes = f.variant->widest; lanes >= narrowest; lanes /= 2) {
        for (const int lines : {1, 2, 4, 7, 8}) {
            if (rows && lines <= f.output.height) {
                consider({GradientKernel::rows, lanes, c.stride_rows, lines, 1});
            }
        }
        for (const int outputs : {1, 2, 4}) {
            if (c.share % outputs == 0) {
                consider({GradientKernel::taps, lanes, c.stride_rows, 1, outputs});
            }
        }
    }
}

/** Of x, what the second level of cache holds beside dy and sums: less than half of the smallest in use. */
constexpr int64_t block_bytes = 384 * 1024;

void choose_blocks(const kofn_conv_plan& f, WeightsPass& pass) {
    const Grid& grid = pass.grid;
    Blocks& blocks = pass.blocks;
    const int64_t bytes = f.in_channel * f.conv.inputs * static_cast<int64_t>(sizeof(float)) / f.image_parts;
    const int64_t bands = divide_up(bytes, block_bytes), strip = pass.kernel.lines;
    // Each band ends in the sum of every vector's lanes, so that it must not be too small.
    blocks.lines = {grid.lines, std::clamp<int64_t>(bands, 1, divide_up(grid.lines, 2 * strip))};
    const int64_t across = grid.lines == 1 ? std::clamp<int64_t>(bands, 1, divide_up(grid.vectors, 16)) : 1;
    blocks.vectors = {grid.vectors, across};
    blocks.at_once = std::max<int64_t>(1, block_bytes / std::max<int64_t>(1, bytes));
    // Threads share outputs; where there are few, also parts of the batch. The shape alone says how many.
    const int64_t images = f.images / f.image_parts;
    blocks.images = {images, std::clamp<int64_t>(divide_up(256, f.conv.outputs), 1, images)};
}

void list_images(const kofn_conv_plan& f, WeightsPass& pass) {
    const auto vectors = static_cast<size_t>(pass.grid.vectors);
    const bool batch = f.output.form == KOFN_BATCH16;
    if (batch) {
        for (int64_t image = 0; image < f.images; ++image) {
            const int64_t first = image / f.image_parts * 16 + image % f.image_parts * pass.kernel.lanes;
            const int64_t exist = std::clamp<int64_t>(f.output.batch - first, 0, pass.kernel.lanes);
            pass.lanes.insert(pass.lanes.end(), vectors, (1u << exist) - 1);
        }
    }
    for (int64_t image = 0; image < f.images; ++image) {
        const int64_t group = image / f.image_parts, part = image % f.image_parts * pass.kernel.lanes;
        const uint32_t* lanes = batch ? pass.lanes.data() + static_cast<size_t>(image) * vectors : pass.grid.lanes.data();
        pass.images.push_back({group * f.in_image + part, group * f.output_strides.image + part, lanes});
    }
}

/** The sums of one part of the batch, for outputs from `first` to `last`. */
void run_part(const kofn_conv_backward& plan, int64_t part, int64_t first, int64_t last, const float* x,
              const float* grad_output, float* weights, float* bias) {
    const kofn_conv_plan& f = plan.forward;
    const kofn_conv& c = f.conv;
    const WeightsPass& pass = plan.weights;
    const Blocks& blocks = pass.blocks;
    const int64_t taps = static_cast<int64_t>(pass.taps.size()), at_once = pass.kernel.outputs;
    double loads;
    const GradientFunction run = f.variant->gradient(pass.kernel, loads);
    for (int64_t list = first / c.share; list * c.share < last; ++list) {
        const int64_t from = std::max(first - list * c.share, int64_t{0});
        const int64_t to = std::min<int64_t>(last - list * c.share, c.share);
        for (int64_t i = 0; i < c.kept; ++i) {
            float* kernels = weights + (list * c.kept + i) * c.share * taps;
            std::fill(kernels + from * taps, kernels + to * taps, 0.0f);
        }
    }
    if (bias != nullptr) {
        std::fill(bias + first, bias + last, 0.0f);
    }
    GradientTile tile{};
    tile.kept = c.kept;
    tile.taps = pass.taps.data();
    tile.tap_count = taps;
    tile.in_row = f.in_row;
    tile.plane = f.output_strides.plane;
    tile.in_line = pass.grid.in_line;
    tile.out_line = pass.grid.out_line;
    tile.in_step = pass.grid.in_step;
    tile.out_step = pass.grid.out_step;
    tile.kernel_stride = c.share * taps;
    const int64_t end = blocks.images.end(part);
    for (int64_t image = blocks.images.begin(part); image < end; image += blocks.at_once) {
        const int64_t images = std::min(blocks.at_once, end - image);
        tile.image_count = images * f.image_parts;
        tile.images = pass.images.data() + image * f.image_parts;
        for (int64_t l = 0; l < blocks.lines.parts; ++l) {
            for (int64_t v = 0; v < blocks.vectors.parts; ++v) {
                const int64_t line = blocks.lines.begin(l), vector = blocks.vectors.begin(v);
                tile.lines = blocks.lines.end(l) - line;
                tile.vectors = blocks.vectors.end(v) - vector;
                tile.first_vector = vector;
                tile.x = x + f.in_origin + line * tile.in_line + vector * tile.in_step;
                const float* dy =
                    grad_output + f.output_strides.origin + line * tile.out_line + vector * tile.out_step;
                for (int64_t o = first; o < last; o += at_once) {
                    const int64_t list = o / c.share;
                    tile.offsets = pass.offsets.data() + list * c.kept;
                    tile.gradient = dy + o * tile.plane;
                    tile.weights = weights + (list * c.kept * c.share + o % c.share) * taps;
                    tile.bias = bias == nullptr ? nullptr : bias + o;
                    run(tile);
                }
            }
        }
    }
}

}  // namespace

void plan_weights(kofn_conv_backward& plan, const int32_t* indices) {
    const kofn_conv_plan& f = plan.forward;
    const kofn_conv& c = f.conv;
    WeightsPass& pass = plan.weights;
    for (int32_t r = 0; r < c.rows; ++r) {
        for (int32_t s = 0; s < c.columns; ++s) {
            const int64_t at = f.split.needed
                ? s % c.stride_columns * f.split.plane + r * f.in_row + s / c.stride_columns
                : r * f.in_row + s * f.in_floats;
            pass.taps.push_back(static_cast<int32_t>(at));
        }
    }
    for (int64_t entry = 0; entry < int64_t{c.outputs} / c.share * c.kept; ++entry) {
        pass.offsets.push_back(static_cast<int32_t>(indices[entry] * f.in_channel));
    }
    choose_loops(f, pass);
    choose_blocks(f, pass);
    list_images(f, pass);
    const int64_t kernels = int64_t{c.outputs} * c.kept * c.rows * c.columns;
    pass.partial = (kernels + c.outputs + 15) / 16 * 16;
    const int64_t split = f.split.needed ? (f.images * f.in_image + rest_of_tensor + 15) / 16 * 16 : 0;
    pass.workspace = split + (pass.blocks.images.parts > 1 ? pass.blocks.images.parts * pass.partial : 0);
}

void run_weights(const kofn_conv_backward& plan, const float* input, const float* grad_output, float* grad_weights,
                 float* grad_bias, float* workspace, int32_t threads) {
    const kofn_conv_plan& f = plan.forward;
    const WeightsPass& pass = plan.weights;
    const int64_t parts = pass.blocks.images.parts, at_once = pass.kernel.outputs;
    const int64_t kernels = int64_t{f.conv.outputs} * f.conv.kept * static_cast<int64_t>(pass.taps.size());
    const float* x = see_input(f, input, workspace, threads);
    float* partials = workspace + pass.workspace - parts * pass.partial;
    // A few tasks a thread even out what threads lose to others; each reads all of x.
    const int64_t sets = f.conv.outputs / at_once;
    const Cut outputs{sets, std::clamp<int64_t>(divide_up(4 * threads, parts), 1, sets)};
    for_each(threads, parts * outputs.parts, [&](int64_t task) {
        const int64_t part = task / outputs.parts, range = task % outputs.parts;
        float* weights = parts == 1 ? grad_weights : partials + part * pass.partial;
        float* bias = grad_bias == nullptr || parts == 1 ? grad_bias : weights + kernels;
        run_part(plan, part, outputs.begin(range) * at_once, outputs.end(range) * at_once, x, grad_output, weights, bias);
    });
    if (parts == 1) {
        return;
    }
    const auto add_up = [&](const float* from, float* to, int64_t size) {
        const Cut cut{size, std::clamp<int64_t>(4 * threads, 1, size)};
        for_each(threads, cut.parts, [&](int64_t piece) {
            for (int64_t at = cut.begin(piece); at < cut.end(piece); ++at) {
                float sum = from[at];
                for (int64_t part = 1; part < parts; ++part) {
                    sum += from[part * pass.partial + at];
                }
                to[at] = sum;
            }
        });
    };
    add_up(partials, grad_weights, kernels);
    if (grad_bias != nullptr) {
        add_up(partials + kernels, grad_bias, f.conv.outputs);
    }
}

}  // namespace kofn::conv
