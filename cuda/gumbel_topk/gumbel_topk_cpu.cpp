#include "gumbel_topk.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "cpu_variant.h"

/**
 * The calls of the CPU: checks the layers, cuts them into tasks of about equal work, and lets threads take these from
 * one list. A group is worked on by one thread, in the same order of operations whatever the list looks like, so
 * results depend neither on the number of threads nor on the variant.
 */
namespace kofn::cpu {
namespace {

/** The variants of this library, the fastest first. */
const Variant* const variants[] = {
#if defined(KOFN_HAS_avx512)
    &avx512::variant,
#endif
#if defined(KOFN_HAS_avx2)
    &avx2::variant,
#endif
    &portable::variant,
};

/** Whether this processor has all instructions that CMakeLists.txt lets a variant use. */
bool runs_here(const Variant& variant) {
#if defined(KOFN_HAS_avx2) || defined(KOFN_HAS_avx512)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (std::strcmp(variant.name, "avx2") == 0) {
        return avx2;
    }
    if (std::strcmp(variant.name, "avx512") == 0) {
        return avx512;
    }
#endif
    return std::strcmp(variant.name, "portable") == 0;
}

const Variant* fastest() {
    return *std::find_if(std::begin(variants), std::end(variants), [](const Variant* v) { return runs_here(*v); });
}

/** The variant that runs. */
std::atomic<const Variant*>& chosen() {
    static std::atomic<const Variant*> variant{fastest()};
    return variant;
}

/** Joins the element axes where one continues the other, and moves the one whose elements are neighbours into `run`. */
Layer layer_of(const kofn_layer& tensors) {
    const kofn_layout& layout = tensors.layout;
    Layer layer{tensors, layout.group_sizes[0] * layout.group_sizes[1] * layout.group_sizes[2], layout.candidates,
                tensors.kept, (layout.candidates + 31) / 32, {1, 1}, {0, 0}, 1};
    for (int axis = 1; axis >= 0; --axis) {
        if (layout.element_sizes[axis] > 1 && layout.element_strides[axis] == layer.run) {
            layer.run *= layout.element_sizes[axis];
        } else {
            layer.row_sizes[axis] = layout.element_sizes[axis];
            layer.row_strides[axis] = layout.element_strides[axis];
        }
    }
    return layer;
}

/** What a call reads and writes beyond latent weight, effective weight and mask. */
enum class Call { sample, backward, apply, apply_backward };

/** Whether the description can be worked on. */
bool acceptable(const kofn_layer& layer, Call call) {
    const kofn_layout& layout = layer.layout;
    const bool sizes = layout.candidates >= 1 && layout.candidates <= int64_t{1} << 20
        && *std::min_element(std::begin(layout.group_sizes), std::end(layout.group_sizes)) >= 1
        && *std::min_element(std::begin(layout.element_sizes), std::end(layout.element_sizes)) >= 1
        && (layer.effective_type == KOFN_FLOAT32 || layer.effective_type == KOFN_BFLOAT16);
    if (!sizes || layer.mask == nullptr) {
        return false;
    }
    const bool kept = layer.kept >= 1 && layer.kept <= layout.candidates;
    const bool drawn = kept && layer.logits != nullptr && layer.indices != nullptr;
    switch (call) {
        case Call::sample:
            return drawn && layer.bits != nullptr && layer.latent != nullptr && layer.effective != nullptr;
        case Call::backward:
            return drawn && layer.latent != nullptr && layer.effective_gradient != nullptr
                && layer.logit_gradient != nullptr;
        case Call::apply:
            return layer.latent != nullptr && layer.effective != nullptr;
        default:
            return layer.effective_gradient != nullptr && layer.latent_gradient != nullptr;
    }
}

/** The work on a group, in candidates that are sampled; a weight is about a tenth of that. */
int64_t work_of_group(const Layer& layer) {
    const int64_t elements = layer.row_sizes[0] * layer.row_sizes[1] * layer.run;
    return layer.candidates + layer.candidates * elements / 8;
}

/** All groups of all layers, cut where about so much work has come together. */
std::vector<Task> tasks_of(const std::vector<Layer>& layers) {
    const int64_t work_of_task = 32768;
    std::vector<Task> tasks;
    for (const Layer& layer : layers) {
        // Whole bundles of small groups.
        const int64_t groups = std::max<int64_t>(1, work_of_task / work_of_group(layer));
        const int64_t step = layer.candidates <= small_group ? (groups + lanes - 1) / lanes * lanes : groups;
        for (int64_t begin = 0; begin < layer.groups; begin += step) {
            tasks.push_back({&layer, begin, std::min(begin + step, layer.groups)});
        }
    }
    return tasks;
}

/** Memory that is kept for the next call of the same thread. */
char* scratch_memory(size_t bytes) {
    struct Free {
        void operator()(char* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
    };
    thread_local std::unique_ptr<char, Free> memory;
    thread_local size_t size = 0;
    if (size < bytes) {
        memory.reset();
        memory.reset(static_cast<char*>(::operator new[](bytes, std::align_val_t{64})));
        size = bytes;
    }
    return memory.get();
}

/** The threads' number of this thread. */
int thread_number() {
#if defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/** Checks the layers and runs `work(variant, task, scratch)` on all tasks; it returns false after a wrong score. */
template <class Work>
kofn_status run(const kofn_layer* described, int32_t count, Call call, int32_t threads, Work work) {
    std::vector<Layer> layers;
    int64_t largest = 1;
    for (int32_t i = 0; i < count; ++i) {
        if (!acceptable(described[i], call)) {
            return -(i + 1);
        }
        layers.push_back(layer_of(described[i]));
        largest = std::max(largest, described[i].layout.candidates);
    }
    const std::vector<Task> tasks = tasks_of(layers);
    const Variant& variant = *chosen().load();
    const size_t bytes = (scratch_bytes(largest) + 63) / 64 * 64;
    const int64_t size = static_cast<int64_t>(tasks.size());
    threads = static_cast<int32_t>(std::clamp<int64_t>(threads, 1, std::max<int64_t>(1, size)));
    char* memory = scratch_memory(bytes * static_cast<size_t>(threads));
    std::vector<char> wrong(layers.size(), 0);
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
#endif
    for (int64_t i = 0; i < size; ++i) {
        if (!work(variant, tasks[i], memory + bytes * static_cast<size_t>(thread_number()))) {
#if defined(_OPENMP)
#pragma omp atomic write
#endif
            wrong[tasks[i].layer - layers.data()] = 1;
        }
    }
    const auto first = std::find(wrong.begin(), wrong.end(), 1);
    return first == wrong.end() ? 0 : static_cast<kofn_status>(first - wrong.begin() + 1);
}

}  // namespace
}  // namespace kofn::cpu

using namespace kofn::cpu;

kofn_status kofn_cpu_sample(const kofn_layer* layers, int32_t count, const kofn_draw* draw, int32_t threads) {
    return run(layers, count, Call::sample, threads, [=](const Variant& variant, const Task& task, void* scratch) {
        return variant.sample(task, *draw, scratch);
    });
}

kofn_status kofn_cpu_sample_backward(const kofn_layer* layers, int32_t count, const kofn_draw* draw, int32_t threads) {
    return run(layers, count, Call::backward, threads, [=](const Variant& variant, const Task& task, void* scratch) {
        variant.backward(task, *draw, scratch);
        return true;
    });
}

kofn_status kofn_cpu_apply(const kofn_layer* layers, int32_t count, int32_t threads) {
    return run(layers, count, Call::apply, threads, [](const Variant& variant, const Task& task, void*) {
        variant.apply(task);
        return true;
    });
}

kofn_status kofn_cpu_apply_backward(const kofn_layer* layers, int32_t count, int32_t dense, int32_t threads) {
    return run(layers, count, Call::apply_backward, threads, [=](const Variant& variant, const Task& task, void*) {
        variant.apply_backward(task, dense != 0);
        return true;
    });
}

const char* kofn_cpu_variant(void) {
    return chosen().load()->name;
}

int32_t kofn_cpu_use_variant(const char* name) {
    for (const Variant* variant : variants) {
        if (std::strcmp(variant->name, name) == 0 && runs_here(*variant)) {
            chosen() = variant;
            return 1;
        }
    }
    return 0;
}
