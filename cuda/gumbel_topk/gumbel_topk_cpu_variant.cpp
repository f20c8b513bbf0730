#include "cpu_gradient.h"
#include "cpu_scores.h"
#include "cpu_select.h"
#include "cpu_small_groups.h"
#include "cpu_weights.h"

/** The loops of Gumbel top-k over the groups of a task; CMakeLists.txt compiles this for several instruction sets. */
namespace kofn::cpu::KOFN_VARIANT {
namespace {

bool sample(const Task& task, const kofn_draw& draw, void* memory) {
    const Layer& layer = *task.layer;
    if (layer.candidates <= small_group) {
        return sample_small(task, draw);
    }
    const int64_t n = layer.candidates;
    Scratch scratch(memory);
    int32_t* keys = scratch.take<int32_t>(n);
    GroupCursor cursor(layer.tensors.layout, task.begin);
    for (int64_t group = task.begin; group < task.end; ++group, cursor.advance()) {
        uint8_t* mask = layer.tensors.mask + group * n;
        scores(layer, draw, group, [=](int64_t i, float y) { keys[i] = order_key(y); });
        if (!mask_largest(keys, n, layer.kept, mask)) {
            return false;
        }
        describe_mask(mask, n, layer.tensors.bits + group * layer.words, layer.tensors.indices + group * layer.kept);
        write_effective(layer, cursor.base(), mask);
    }
    return true;
}

void backward(const Task& task, const kofn_draw& draw, void* memory) {
    const Layer& layer = *task.layer;
    if (layer.candidates <= small_group) {
        backward_small(task, draw);
        return;
    }
    const int64_t n = layer.candidates, k = layer.kept;
    Scratch scratch(memory);
    GradientScratch s(scratch, n, k);
    GroupCursor cursor(layer.tensors.layout, task.begin);
    for (int64_t group = task.begin; group < task.end; ++group, cursor.advance()) {
        float* gradient = layer.tensors.logit_gradient + group * n;
        scores(layer, draw, group, [&](int64_t i, float y) { s.y[i] = y; });
        with_effective_gradient(layer, [&](auto upstream) { candidate_sums(layer, cursor.base(), upstream, s.v); });
        float* of_temperature = layer.tensors.temperature_gradient;
        const float temperature_gradient =
            relaxed_gradient(s, layer.tensors.indices + group * k, n, k, draw.temperature, of_temperature != nullptr,
                             gradient);
        if (of_temperature != nullptr) {
            of_temperature[group] = temperature_gradient;
        }
        if (draw.entropy != 0) {
            add_entropy_gradient(layer.tensors.logits + group * n, n, draw.entropy, s.w, s.y, gradient);
        }
        write_latent_gradient(layer, cursor.base(), layer.tensors.mask + group * n, draw.dense_gradient != 0);
    }
}

void apply(const Task& task) {
    const Layer& layer = *task.layer;
    GroupCursor cursor(layer.tensors.layout, task.begin);
    for (int64_t group = task.begin; group < task.end; ++group, cursor.advance()) {
        write_effective(layer, cursor.base(), layer.tensors.mask + group * layer.candidates);
    }
}

void apply_backward(const Task& task, bool dense) {
    const Layer& layer = *task.layer;
    GroupCursor cursor(layer.tensors.layout, task.begin);
    for (int64_t group = task.begin; group < task.end; ++group, cursor.advance()) {
        write_latent_gradient(layer, cursor.base(), layer.tensors.mask + group * layer.candidates, dense);
    }
}

}  // namespace
}  // namespace kofn::cpu::KOFN_VARIANT

// Two steps, so that the name is replaced before it becomes a text.
#define KOFN_TEXT_OF(name) #name
#define KOFN_TEXT(name) KOFN_TEXT_OF(name)

const kofn::cpu::Variant kofn::cpu::KOFN_VARIANT::variant = {KOFN_TEXT(KOFN_VARIANT), sample, backward, apply,
                                                             apply_backward};
