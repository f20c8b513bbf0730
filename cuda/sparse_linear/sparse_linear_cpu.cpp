#include <algorithm>
#include <cstring>
#include <new>

#include "../gumbel_topk/gumbel_topk.h"
#include "checks.h"
#include "cpu_plan.h"

/** The calls on the CPU: checks, the choice of loops, and the walk over tasks. */
namespace kofn::linear {
namespace {

constexpr int32_t most_threads = 1024;

/** The variant that kofn_cpu_use_variant chose, or the best one. */
const Variant& variant_in_use() {
    const char* name = kofn_cpu_variant();
#if defined(KOFN_HAS_avx512)
    if (std::strcmp(name, avx512::variant.name) == 0) {
        return avx512::variant;
    }
#endif
#if defined(KOFN_HAS_avx2)
    if (std::strcmp(name, avx2::variant.name) == 0) {
        return avx2::variant;
    }
#endif
    static_cast<void>(name);
    return portable::variant;
}

int64_t divide_up(int64_t x, int64_t by) {
    return (x + by - 1) / by;
}

/**
 * Costs are in the time in which one weight is multiplied with one vector of images, about 0.6 ns, as measured on layers
 * of 100 to 4096 inputs. `waking` is what another thread must save to be worth it where it sleeps, or where LibTorch's
 * threads still spin on its core; `fetching` what a number takes that lies in the cache of another core.
 */
constexpr double waking = 120000, fetching = 0.5;

/** Loops that could run, and what they cost. */
struct Choice {
    Method method;
    int vectors;
    int64_t group;
    int32_t threads;
    bool apart; /* images are moved to lanes before the sums, and fetched by other threads than the one that did it */
    double cost;
};

/** `sums` is the cost of those of a group of images, `moved` that of moving one to lanes. */
Choice choice(const kofn_linear_plan& plan, Method method, int vectors, int64_t group, double sums, double moved) {
    const int64_t groups = divide_up(plan.batch, group);
    const double all = static_cast<double>(groups) * sums, all_moved = static_cast<double>(groups) * moved;
    const double numbers = static_cast<double>(plan.batch) * (plan.linear.inputs + plan.linear.outputs);
    const auto threads = static_cast<int32_t>(std::clamp<double>(all / waking, 1, plan.most_threads));
    const bool apart = groups % threads != 0;
    const double many = apart ? all / threads + 5 * all_moved : (all + all_moved) / threads;
    const double cost = many + waking + fetching * numbers;
    return threads == 1 || all + all_moved <= cost ? Choice{method, vectors, group, 1, false, all + all_moved}
                                                   : Choice{method, vectors, group, threads, apart, cost};
}

/** Which loops run; all choices give the same bits. */
void choose(kofn_linear_plan& plan) {
    const kofn_linear& l = plan.linear;
    const int64_t lanes = plan.variant->lanes;
    plan.narrow = l.inputs <= 65536;
    plan.sets = divide_up(l.outputs, lanes);
    const double vectors_of_weights = static_cast<double>(plan.sets) * l.kept;
    Choice best = choice(plan, shared, 0, 16, vectors_of_weights * std::min(plan.batch, 16), 0);
    if (l.share % lanes != 0) {
        const double weights = vectors_of_weights * static_cast<double>(lanes);
        best = choice(plan, single, 0, 1, weights * (lanes == 16 ? 0.45 : 0.65), 0);
        for (const int vectors : {1, 2}) {
            const int64_t group = vectors * lanes;
            const double moved = 0.5 * static_cast<double>(l.inputs * group);
            const Choice other = choice(plan, images, vectors, group, weights * (vectors == 1 ? 1 : 1.6), moved);
            best = other.cost < best.cost ? other : best;
        }
    }
    plan.method = best.method;
    plan.vectors = best.vectors;
    plan.group = best.group;
    plan.groups = divide_up(plan.batch, best.group);
    plan.threads = best.threads;
    // A few tasks a thread even out what threads lose to others; a thread with groups of its own fetches nothing.
    const bool whole = best.threads == 1 || (best.method == images && !best.apart);
    plan.parts = whole ? 1 : std::min(plan.sets, divide_up(6 * plan.threads, plan.groups));
}

/** Calls body(0 … count − 1) on so many threads, or fewer: one that finds nothing to do must be waited for too. */
template <class Body>
void for_each([[maybe_unused]] int32_t threads, int64_t count, Body body) {
#if defined(_OPENMP)
    const int32_t used = static_cast<int32_t>(std::min<int64_t>(threads, count));
#pragma omp parallel for schedule(dynamic) num_threads(used) if (used > 1)
#endif
    for (int64_t i = 0; i < count; ++i) {
        body(i);
    }
}

/** So many elements further, as the plan stores them. */
template <class Bytes>
Bytes* further(const kofn_linear_plan& plan, Bytes* from, int64_t elements) {
    return from == nullptr ? nullptr : from + elements * (plan.precision == KOFN_BF16 ? 2 : 4);
}

/** One part of the sets for one group of images. */
void run_task(const kofn_linear_plan& plan, int64_t index, const float* x, void* output, const void* residual) {
    const kofn_linear& l = plan.linear;
    const int64_t group = index / plan.parts, part = index % plan.parts, image = group * plan.group;
    Task task{};
    task.method = plan.method;
    task.vectors = plan.vectors;
    task.precision = plan.precision;
    task.narrow = plan.narrow;
    task.indices = plan.indices.get();
    task.weights = plan.weights.get();
    task.bias = static_cast<const float*>(plan.bias.get());
    task.kept = l.kept;
    task.sets_of_list = std::max(1, l.share / plan.variant->lanes);
    task.first_set = plan.sets * part / plan.parts;
    task.last_set = plan.sets * (part + 1) / plan.parts;
    task.x = x + image * l.inputs;
    task.in_image = l.inputs;
    task.count = std::min(plan.group, plan.batch - image);
    task.output = further(plan, static_cast<char*>(output), image * l.outputs);
    task.residual = further(plan, static_cast<const char*>(residual), image * l.outputs);
    task.outputs = l.outputs;
    task.activation = l.activation;
    plan.variant->run(task);
}

/** Inputs first … last − 1 of a group as the loops want them: images innermost. */
void transpose(const kofn_linear_plan& plan, int64_t group, int64_t first, int64_t last, const void* input,
               float* workspace) {
    const int64_t inputs = plan.linear.inputs, image = group * plan.group;
    plan.variant->transpose(further(plan, static_cast<const char*>(input), image * inputs), plan.precision, inputs,
                            std::min(plan.group, plan.batch - image), plan.group, first, last,
                            workspace + image * inputs);
}

void transpose_all(const kofn_linear_plan& plan, const void* input, float* workspace, int32_t threads) {
    constexpr int64_t block = 2048;
    const int64_t inputs = plan.linear.inputs, blocks = divide_up(inputs, block);
    for_each(threads, plan.groups * blocks, [&](int64_t i) {
        const int64_t first = i % blocks * block;
        transpose(plan, i / blocks, first, std::min(inputs, first + block), input, workspace);
    });
}

/** The whole batch as floats, once for all outputs that read it. */
void widen_all(const kofn_linear_plan& plan, const uint16_t* input, float* workspace, int32_t threads) {
    constexpr int64_t block = 1 << 16;
    const int64_t size = int64_t{plan.batch} * plan.linear.inputs;
    for_each(threads, divide_up(size, block), [&](int64_t i) {
        plan.variant->widen(input + i * block, std::min(block, size - i * block), workspace + i * block);
    });
}

/** Whether the loops read the workspace and not the input itself. */
bool reads_workspace(const kofn_linear_plan& plan) {
    return plan.method == images || plan.precision == KOFN_BF16;
}

}  // namespace
}  // namespace kofn::linear

using namespace kofn::linear;

int32_t kofn_cpu_linear_open(const kofn_linear* linear, int32_t batch, int32_t precision, int32_t threads,
                             kofn_linear_plan** plan) {
    if (linear == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    if (const int32_t refused = check(*linear, batch, precision); refused != KOFN_CONV_OK) {
        return refused;
    }
    if (!in_range(threads, 1, most_threads)) {
        return KOFN_CONV_THREADS;
    }
    try {
        auto made = std::make_unique<kofn_linear_plan>();
        made->linear = *linear;
        made->linear.indices = nullptr;
        made->linear.weights = made->linear.bias = nullptr;
        made->batch = batch;
        made->precision = precision;
        made->most_threads = made->threads = threads;
        made->variant = &variant_in_use();
        choose(*made);
        pack(*made, *linear);
        *plan = made.release();
        return KOFN_CONV_OK;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cpu_linear_close(kofn_linear_plan* plan) {
    delete plan;
}

int64_t kofn_cpu_linear_workspace(const kofn_linear_plan* plan) {
    return plan->method == images           ? plan->groups * plan->group * plan->linear.inputs
         : plan->precision == KOFN_BF16 ? int64_t{plan->batch} * plan->linear.inputs
                                        : 0;
}

int64_t kofn_cpu_linear_bytes(const kofn_linear_plan* plan) {
    return plan->bytes;
}

const char* kofn_cpu_linear_describe(const kofn_linear_plan* plan) {
    return plan->description.c_str();
}

int32_t kofn_cpu_linear_run(const kofn_linear_plan* plan, const void* input, void* output, const void* residual,
                            float* workspace, int32_t threads) {
    if (plan == nullptr || input == nullptr || output == nullptr || (reads_workspace(*plan) && workspace == nullptr)) {
        return KOFN_CONV_NULL;
    }
    if (threads < 1 || threads > plan->most_threads) {
        return KOFN_CONV_THREADS;
    }
    const int32_t used = std::min(threads, plan->threads);
    const float* x = reads_workspace(*plan) ? workspace : static_cast<const float*>(input);
    if (plan->method == images && plan->parts > 1) {
        transpose_all(*plan, input, workspace, used);
    } else if (plan->method != images && plan->precision == KOFN_BF16) {
        widen_all(*plan, static_cast<const uint16_t*>(input), workspace, used);
    }
    for_each(used, plan->groups * plan->parts, [&](int64_t i) {
        if (plan->method == images && plan->parts == 1) {
            transpose(*plan, i, 0, plan->linear.inputs, input, workspace);
        }
        run_task(*plan, i, x, output, residual);
    });
    return KOFN_CONV_OK;
}
