#include <algorithm>
#include <limits>

#include "cpu_plan.h"

/**
 * Which loops run, and over which tiles. Nothing here can change a result: every choice sums in the same order.
 */
namespace kofn::conv {
namespace {

int64_t divide_up(int64_t x, int64_t by) {
    return (x + by - 1) / by;
}

/** Whether this processor works on sixteen floats in two halves, as Zen 4 does: narrow vectors then lose nothing. */
bool halves_wide_vectors() {
#if defined(__x86_64__)
    return __builtin_cpu_is("amdfam19h") != 0;
#else
    return false;
#endif
}

/** Time of a tile, in multiplications of vectors; a model, its constants fitted to layers of ResNet and VGG. */
double cost_of_tile(const kofn_conv_plan& plan, const Kernel& kernel, int64_t lines, int64_t vectors) {
    const double l = static_cast<double>(lines), v = static_cast<double>(vectors), o = kernel.outputs;
    // Multiplications that must be under way at once to fill the pipelines.
    const double latency = kernel.lanes == 16 && halves_wide_vectors() ? 4 : 8;
    const double work = std::max(l * v * o, latency);
    // Vectors that straddle cache lines are loaded twice.
    const bool aligned = plan.in_floats == 16 || kernel.one_tap;
    const double unaligned = kernel.lanes == 16 ? 2.7 : kernel.method == Kernel::rows ? 1.8 : 2.0;
    const double load = !aligned ? unaligned : kernel.lanes == 16 ? 1.0 : 1.1;
    double tap; // one of one kept channel
    switch (kernel.method) {
        case Kernel::rows: {
            // Pixels and products of the padding, where it is left out: on both sides, or with a stride on one.
            const double without = kernel.whole ? kernel.stride == 1 ? 2 : 1 : 0;
            const double in_lines = (l - 1) * kernel.stride + 3 - without;
            const double lines_across =
                plan.in_floats == 1 ? v * kernel.lanes / 16 + 1 : (v - 1) * kernel.stride + 3 - without;
            const double products = std::max((3 * l - without) * (3 * v - without) * o / 9, latency);
            const bool once = plan.in_floats == 16 && plan.variant->holds_kernels;
            // A cache line comes from the second level in the time of two multiplications of sixteen floats, from the
            // third in up to twice that.
            const double cache_lines = in_lines * lines_across;
            const bool second = cache_lines * 64 * plan.conv.inputs < 1e6;
            const double fetched = cache_lines * (second ? 2 : once ? 3 : 4) * 16 / kernel.lanes / 9;
            const double loads = once ? cache_lines / 9 : in_lines * v * load / 3;
            tap = std::max({products, o * loads, o * fetched}) + o * (0.3 * fetched + 0.3 * loads + 1.0);
            break;
        }
        case Kernel::small:
            tap = 2 * o;  // permutations are half as fast as multiplications
            break;
        case Kernel::shared:
            tap = std::max(work, v * load + o) + 0.5;
            break;
        default: {
            // Every multiplication waits for a load of its own; Zen 5 does two thirds as many whole vectors a cycle, and
            // better from several planes at once.
            const bool waits = aligned && kernel.lanes == 16 && !halves_wide_vectors();
            tap = std::max(work, (v * load + 1) * o * (waits ? 1.6 : 1.0)) + 0.5 * o + (waits ? 3.0 : 0.5);
            break;
        }
    }
    const double taps = static_cast<double>(plan.conv.rows) * plan.conv.columns * plan.conv.kept;
    return taps * tap + 5 * l * v * o + 20;
}

/** The time of all tiles for all outputs, when a grid is cut so. */
double cost_of_cut(const kofn_conv_plan& plan, const Kernel& kernel, const Cut& lines, const Cut& vectors) {
    double cost = 0;
    for (int64_t l = 0; l < lines.parts; ++l) {
        for (int64_t v = 0; v < vectors.parts; ++v) {
            cost += cost_of_tile(plan, kernel, lines.end(l) - lines.begin(l), vectors.end(v) - vectors.begin(v));
        }
    }
    // Where a processor does not halve them, wide vectors take no longer than narrow ones.
    const int width = halves_wide_vectors() ? kernel.lanes : plan.variant->widest;
    return cost * static_cast<double>(divide_up(plan.conv.outputs, kernel.outputs)) * width;
}

/** Whether the variant has loops for all tiles of a cut. */
bool has_tiles(const Variant& variant, const Kernel& kernel, const Cut& lines, const Cut& vectors) {
    for (const int64_t l : {lines.size / lines.parts, divide_up(lines.size, lines.parts)}) {
        for (const int64_t v : {vectors.size / vectors.parts, divide_up(vectors.size, vectors.parts)}) {
            if (variant.tile(kernel, static_cast<int>(l), static_cast<int>(v)) == nullptr) {
                return false;
            }
        }
    }
    return true;
}

/** Keeps the cheapest cut for a kernel in the plan, if it is cheaper than what is there. */
void consider(kofn_conv_plan& plan, const Kernel& kernel, double& best) {
    constexpr int64_t most_lines = 8, most_vectors = 8; /* of a tile */
    const bool small = kernel.method == Kernel::small, rows = kernel.method == Kernel::rows || small;
    Grid grid = grid_of(plan, kernel.lanes, rows);
    for (int64_t v = 1; v <= most_vectors; ++v) {
        for (int64_t l = 1; l <= (rows ? most_lines : 1); ++l) {
            const Cut lines{grid.lines, divide_up(grid.lines, l)}, vectors{grid.vectors, divide_up(grid.vectors, v)};
            const bool whole = lines.parts == 1 && vectors.parts == 1;
            if (((kernel.whole || small) && !whole) || !has_tiles(*plan.variant, kernel, lines, vectors)) {
                continue;
            }
            const double cost = cost_of_cut(plan, kernel, lines, vectors);
            if (cost < best) {
                best = cost;
                plan.kernel = kernel;
                plan.grid = grid;
                plan.lines = lines;
                plan.vectors = vectors;
            }
        }
    }
}

/** Floats that the second level of a core's cache holds at most, and the half of a last level that is a core's. */
constexpr int64_t in_second_level = int64_t{1} << 18, in_last_level = int64_t{1} << 22;

/** Cuts the tiles into tasks. */
void cut_tasks(kofn_conv_plan& plan) {
    const int64_t sets = divide_up(plan.conv.outputs, plan.kernel.outputs);
    // A few tasks a thread even out what threads lose to others; more would only load the same input again.
    const int64_t wanted = 6 * plan.paying, lines = plan.images * plan.lines.parts;
    const int64_t places = lines * plan.vectors.parts;
    plan.sets = {sets, std::clamp<int64_t>(divide_up(wanted, places), 1, plan.paying == 1 ? 1 : sets)};
    constexpr int64_t longest = 8; /* tiles of a task */
    const int64_t run = plan.ahead ? std::clamp<int64_t>(places / wanted, 1, longest) : 1;
    plan.runs = {plan.vectors.parts, divide_up(plan.vectors.parts, run)};
}

}  // namespace

Grid grid_of(const kofn_conv_plan& plan, int lanes, bool rows_only) {
    const kofn_tensor& out = plan.output;
    const kofn_strides& to = plan.output_strides;
    const uint32_t all = (1u << lanes) - 1;
    const int64_t in_line = plan.in_row * (plan.split.needed ? plan.split.stride : plan.conv.stride_rows);
    if (out.form == KOFN_BATCH16) {
        Grid grid{out.height, out.width, in_line, plan.in_floats * plan.conv.stride_columns, to.row, plan.out_floats, {}};
        // Rows without a gap on both sides are one long row.
        if (!rows_only && in_line == to.row && grid.in_step == grid.out_step && to.row == out.width * grid.out_step) {
            grid = {1, int64_t{out.height} * out.width, 0, grid.in_step, 0, grid.out_step, {}};
        }
        grid.lanes.assign(static_cast<size_t>(grid.vectors), all);
        return grid;
    }
    const int64_t across = divide_up(out.width, lanes);
    Grid grid{out.height, across, in_line, lanes, to.row, lanes,
              std::vector<uint32_t>(static_cast<size_t>(across), all)};
    grid.lanes.back() = all >> (across * lanes - out.width);
    if (rows_only) {
        return grid;
    }
    // Equal distances of rows on both sides: vectors may go on over the ends of rows, and skip what is no output.
    const int64_t floats = (out.height - 1) * to.row + out.width;
    const int64_t flat = divide_up(floats, lanes);
    if (in_line == to.row && flat <= out.height * across) {
        grid = {1, flat, 0, lanes, 0, lanes, std::vector<uint32_t>(static_cast<size_t>(flat))};
        for (int64_t at = 0; at < floats; ++at) {
            if (at % to.row < out.width) {
                grid.lanes[static_cast<size_t>(at / lanes)] |= 1u << (at % lanes);
            }
        }
    } else if (across == 1) {
        // One vector a row: a line down the plane has more.
        grid = {1, out.height, 0, in_line, 0, to.row,
                std::vector<uint32_t>(static_cast<size_t>(out.height), grid.lanes[0])};
    }
    return grid;
}

namespace {

/** Whether planes fit in a vector of the loops for such. */
bool is_small(const kofn_conv_plan& plan) {
    const kofn_conv& c = plan.conv;
    return plan.variant->small && plan.in_floats == 1 && c.rows == 3 && c.columns == 3
        && c.height * c.width <= 16 && plan.output.height * plan.output.width <= 16;
}

/** Packs the input's planes: the loops see sixteen floats a channel, image after image. */
void pack_planes(kofn_conv_plan& plan) {
    constexpr int64_t lanes = 16;
    plan.split = {};
    plan.split.needed = plan.split.packed = true;
    plan.in_origin = 0;
    plan.in_row = plan.conv.width;
    plan.in_channel = lanes;
    plan.in_image = plan.in_channel * plan.conv.inputs;
}

}  // namespace

void choose(kofn_conv_plan& plan, bool may_pack) {
    const kofn_conv& conv = plan.conv;
    const bool batch = plan.output.form == KOFN_BATCH16;
    const int column = static_cast<int>(plan.in_floats);
    const int stride = conv.stride_rows;
    const bool one_tap = conv.rows * conv.columns == 1;
    const bool rows = conv.rows == 3 && conv.columns == 3 && stride == conv.stride_columns && stride <= 2;
    // Whether a plane is surrounded by padding, so that a tile that is a whole plane knows where zeros are.
    const bool framed = batch && conv.padding_rows == 1 && conv.padding_columns == 1
        && conv.height == stride * plan.output.height && conv.width == stride * plan.output.width;
    const int narrowest = batch ? plan.variant->widest : plan.variant->narrowest;
    double best = std::numeric_limits<double>::infinity();
    for (int lanes = plan.variant->widest; lanes >= narrowest; lanes /= 2) {
        for (const int outputs : {1, 2, 4, 8}) {
            if (rows && outputs <= 4) {
                consider(plan, {Kernel::rows, lanes, column, stride, outputs, one_tap, false}, best);
                if (framed) {
                    consider(plan, {Kernel::rows, lanes, column, stride, outputs, one_tap, true}, best);
                }
            }
            // Which load once what tap after tap loads nine times.
            if (!(rows && batch && plan.variant->holds_kernels)) {
                consider(plan, {Kernel::taps, lanes, column, stride, outputs, one_tap, false}, best);
            }
            if (conv.share % outputs == 0 && outputs >= 4) {
                consider(plan, {Kernel::shared, lanes, column, stride, outputs, one_tap, false}, best);
            }
        }
    }
    if (may_pack && is_small(plan)) {
        consider(plan, {Kernel::small, 16, column, stride, 8, one_tap, false}, best);
        if (plan.kernel.method == Kernel::small) {
            pack_planes(plan);
        }
    }
    // Of a block that fits in the first level of cache, and of lists that leave out little, prefetching is only work.
    // (Rows never follow each other as a prefetcher foresees.)
    const bool by_rows = plan.kernel.method == Kernel::rows;
    const int64_t lines = by_rows ? divide_up(plan.lines.size, plan.lines.parts) + 2 : 1;
    const int64_t block = lines * divide_up(plan.vectors.size, plan.vectors.parts) * plan.kernel.lanes * conv.inputs;
    plan.prefetch = (by_rows || 2 * conv.kept < conv.inputs) && block * static_cast<int64_t>(sizeof(float)) > 24 * 1024;
    plan.ahead = one_tap && plan.images * plan.in_image > in_second_level;
    plan.stream = batch && plan.kernel.lanes == 16
        && (plan.images - 1) * plan.output_strides.image + plan.output_strides.plane * conv.outputs > in_last_level;
    plan.paying = that_pay(plan.threads, best / plan.variant->widest * static_cast<double>(plan.images));
    cut_tasks(plan);
}

}  // namespace kofn::conv
