#include "../common/arithmetic.h"
#include "cpu_plan.h"

/** What a plan keeps of weights and lists. */
namespace kofn::conv {

namespace {

/** For every tap and every lane of an output's plane, the lane of the input's that it reads: sixteen for padding. */
void list_sources(kofn_conv_plan& plan) {
    constexpr int32_t lanes = 16;
    const kofn_conv& c = plan.conv;
    for (int32_t s = 0; s < c.columns; ++s) {
        for (int32_t r = 0; r < c.rows; ++r) {
            for (int32_t lane = 0; lane < lanes; ++lane) {
                const int32_t row = lane / plan.output.width * c.stride_rows - c.padding_rows + r;
                const int32_t column = lane % plan.output.width * c.stride_columns - c.padding_columns + s;
                const bool inside = row >= 0 && row < c.height && column >= 0 && column < c.width;
                plan.taps.push_back(inside ? row * c.width + column : lanes);
            }
        }
    }
}

}  // namespace

void list_taps(kofn_conv_plan& plan) {
    const kofn_conv& c = plan.conv;
    if (plan.split.packed) {
        list_sources(plan);
        return;
    }
    for (int32_t s = 0; s < c.columns; ++s) {
        for (int32_t r = 0; r < c.rows; ++r) {
            int64_t at = r * plan.in_row + s * plan.in_floats;
            if (plan.split.needed) {
                at = s % c.stride_columns * plan.split.plane + r * plan.in_row + s / c.stride_columns;
            }
            plan.taps.push_back(static_cast<int32_t>(at));
        }
    }
}

void pack_values(kofn_conv_plan& plan, const float* weights, const float* bias, int32_t threads) {
    const kofn_conv& c = plan.conv;
    const int64_t at_once = plan.kernel.outputs, kept = c.kept, taps = int64_t{c.rows} * c.columns;
    for_each(threads, c.outputs, [&](int64_t output) {
        const int64_t set = output / at_once, place = output % at_once;
        const int64_t list = output / c.share, of_list = output % c.share;
        plan.bias[output] = bias == nullptr ? 0.0f : bias[output];
        for (int64_t i = 0; i < kept; ++i) {
            const float* from = weights + ((list * kept + i) * c.share + of_list) * taps;
            int64_t to = (set * kept + i) * taps * at_once + place;
            for (int32_t s = 0; s < c.columns; ++s) {
                for (int32_t r = 0; r < c.rows; ++r, to += at_once) {
                    const float weight = from[r * c.columns + s];
                    if (plan.halves != nullptr) {
                        plan.halves[static_cast<size_t>(to)] = to_bfloat16(weight);
                    } else {
                        plan.weights[static_cast<size_t>(to)] = weight;
                    }
                }
            }
        }
    });
}

std::string describe(const kofn_conv_plan& plan) {
    const char* methods[] = {"rows", "taps", "shared", "small"};
    const auto largest = [](const Cut& cut) { return std::to_string((cut.size + cut.parts - 1) / cut.parts); };
    return std::string(methods[plan.kernel.method]) + " " + std::to_string(plan.kernel.outputs) + "x"
        + largest(plan.lines) + "x" + largest(plan.vectors) + " of " + std::to_string(plan.kernel.lanes) + " lanes, "
        + (plan.widening.needed ? "bf16, " : "fp32, ") + plan.variant->name;
}

/** Weights and lists in the order in which the loops read them. Outputs that fill up the last set have weights 0. */
void pack(kofn_conv_plan& plan, const kofn_conv& c) {
    list_taps(plan);
    const int64_t at_once = plan.kernel.outputs, sets = plan.sets.size, kept = c.kept;
    const int64_t taps = int64_t{c.rows} * c.columns;
    const int64_t lists = plan.kernel.method == Kernel::shared ? 1 : at_once;
    for (int64_t set = 0; set <= sets; ++set) {
        plan.starts.push_back(set * kept);
    }
    // Behind the last list stand offsets of 0: the loops prefetch what comes after the channel they are at.
    plan.offsets.assign(static_cast<size_t>((sets * kept + 1) * lists), 0);
    for (int64_t output = 0; output < c.outputs; ++output) {
        const int64_t set = output / at_once, place = output % at_once;
        plan.planes.push_back(output * plan.output_strides.plane);
        for (int64_t i = 0; i < kept; ++i) {
            const int64_t channel = c.indices[output / c.share * kept + i];
            plan.offsets[static_cast<size_t>((set * kept + i) * lists + place % lists)] =
                static_cast<int32_t>(channel * plan.in_channel);
        }
    }
    const int64_t weights = sets * kept * taps * at_once;
    if (plan.widening.needed) {
        plan.halves = aligned<uint16_t>(weights + 16);  // widened sixteen at a time
    } else {
        plan.weights = aligned<float>(weights);
    }
    plan.bias = aligned<float>(sets * at_once);
    pack_values(plan, c.weights, c.bias, 1);
    plan.bytes = static_cast<int64_t>(plan.offsets.size() * sizeof(int32_t)) + sets * at_once * 4
        + weights * (plan.widening.needed ? 2 : 4);
    plan.description = describe(plan);
}

}  // namespace kofn::conv
