#include <cstring>
#include <new>

#include "../common/arithmetic.h"
#include "cpu_plan.h"

/** What a plan keeps of lists and weights. */
namespace kofn::linear {
namespace {

template <class T>
T* allocate(Aligned& memory, int64_t count) {
    const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    memory.reset(std::aligned_alloc(64, bytes));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    std::memset(memory.get(), 0, bytes);
    return static_cast<T*>(memory.get());
}

void store(float value, uint16_t* to) {
    *to = to_bfloat16(value);
}

void store(float value, float* to) {
    *to = value;
}

/** One list for all sets of a group; or of each output. Outputs that fill up the last set have list and weights 0. */
template <class Index>
void pack_lists(kofn_linear_plan& plan, const kofn_linear& l) {
    const int64_t lanes = plan.variant->lanes, kept = l.kept, lists = l.outputs / l.share;
    const int64_t entries = plan.method == shared ? lists * kept : plan.sets * kept * lanes;
    Index* to = allocate<Index>(plan.indices, entries);
    if (plan.method == shared) {
        for (int64_t i = 0; i < entries; ++i) {
            to[i] = static_cast<Index>(l.indices[i]);
        }
    } else {
        for (int64_t output = 0; output < l.outputs; ++output) {
            const int32_t* from = l.indices + output / l.share * kept;
            Index* place = to + output / lanes * kept * lanes + output % lanes;
            for (int64_t i = 0; i < kept; ++i) {
                place[i * lanes] = static_cast<Index>(from[i]);
            }
        }
    }
    plan.bytes += entries * static_cast<int64_t>(sizeof(Index));
}

template <class Weight>
void pack_weights(kofn_linear_plan& plan, const kofn_linear& l) {
    const int64_t lanes = plan.variant->lanes, kept = l.kept, entries = plan.sets * kept * lanes;
    Weight* to = allocate<Weight>(plan.weights, entries);
    for (int64_t output = 0; output < l.outputs; ++output) {
        const float* from = l.weights + output / l.share * kept * l.share + output % l.share;
        Weight* place = to + output / lanes * kept * lanes + output % lanes;
        for (int64_t i = 0; i < kept; ++i) {
            store(from[i * l.share], place + i * lanes);
        }
    }
    plan.bytes += entries * static_cast<int64_t>(sizeof(Weight));
}

void describe(kofn_linear_plan& plan) {
    const char* methods[] = {"single", "images", "shared"};
    const int64_t lanes = plan.variant->lanes;
    plan.description = methods[plan.method];
    if (plan.method == images) {
        plan.description += ", " + std::to_string(plan.vectors) + (plan.vectors == 1 ? " vector" : " vectors");
    }
    plan.description += " of " + std::to_string(lanes) + " lanes, " + (plan.narrow ? "16" : "32") + "-bit lists, "
        + (plan.precision == KOFN_BF16 ? "bf16, " : "fp32, ") + plan.variant->name;
}

}  // namespace

void pack(kofn_linear_plan& plan, const kofn_linear& linear) {
    const int64_t outputs = plan.sets * plan.variant->lanes;
    float* bias = allocate<float>(plan.bias, outputs);
    if (linear.bias != nullptr) {
        std::memcpy(bias, linear.bias, static_cast<size_t>(linear.outputs) * sizeof(float));
    }
    plan.bytes = outputs * static_cast<int64_t>(sizeof(float));
    plan.narrow ? pack_lists<uint16_t>(plan, linear) : pack_lists<int32_t>(plan, linear);
    plan.precision == KOFN_BF16 ? pack_weights<uint16_t>(plan, linear) : pack_weights<float>(plan, linear);
    describe(plan);
}

}  // namespace kofn::linear
