#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../gumbel_topk/gumbel_topk.h"
#include "fixture.h"

/**
 * Times linear layers on random data:
 *
 *   sparse_linear_cpu_bench [threads [batch [share [part of a layer's name [variant [bf16]]]]]]
 *
 * "dense" is one list of all inputs that all outputs share: a plain product of matrices by the same loops. It and all
 * densities of a layer are timed in turn, so that what else the machine does hits all alike. Medians.
 */
namespace kofn::linear {
namespace {

struct Shape {
    const char* name;
    int32_t inputs, outputs;
};

constexpr Shape shapes[] = {
    {"lenet fc1", 784, 300},          {"lenet fc2", 300, 100},          {"lenet fc3", 100, 10},
    {"vgg16 fc6", 25088, 4096},       {"vgg16 fc7", 4096, 4096},        {"vgg16 fc8", 4096, 1000},
    {"resnet50 fc", 2048, 1000},      {"transformer mlp", 768, 3072},   {"cifar fc", 512, 10},
};

constexpr int32_t denominators[] = {1, 2, 4, 8, 16, 32};
constexpr size_t densities = std::size(denominators);

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

void time_layer(const Shape& shape, int32_t batch, int32_t share, int32_t precision, int32_t threads) {
    Random random(1);
    const auto x = random_values(random, static_cast<size_t>(batch) * shape.inputs, false);
    std::vector<float> y(static_cast<size_t>(batch) * shape.outputs);
    kofn_linear_plan* plans[densities];
    int64_t floats = 0;
    for (size_t d = 0; d < densities; ++d) {
        Spec spec;
        spec.inputs = shape.inputs;
        // Sixteen outputs more or less: the dense product wants whole vectors.
        spec.outputs = d == 0 ? (shape.outputs + 15) / 16 * 16 : shape.outputs;
        spec.share = d == 0 ? spec.outputs : share;
        spec.kept = std::max(1, spec.inputs / denominators[d]);
        spec.activation = KOFN_RELU;
        const Layer layer(spec, d, false);
        const kofn_linear view = layer.view();
        if (kofn_cpu_linear_open(&view, batch, d == 0 ? KOFN_FP32 : precision, threads, &plans[d]) != KOFN_CONV_OK) {
            std::fprintf(stderr, "%s: refused\n", shape.name);
            std::exit(1);
        }
        floats = std::max(floats, kofn_cpu_linear_workspace(plans[d]));
    }
    y.resize(y.size() + static_cast<size_t>(batch) * 16);
    std::vector<float> workspace(static_cast<size_t>(floats) + 16);
    float* aligned = workspace.data() + (64 - reinterpret_cast<uintptr_t>(workspace.data()) % 64) % 64 / sizeof(float);
    std::vector<double> times[densities];
    const double end = seconds() + 0.4;
    for (int round = 0; round < 4 || (seconds() < end && round < 1000); ++round) {
        for (size_t d = 0; d < densities; ++d) {
            const double start = seconds();
            kofn_cpu_linear_run(plans[d], x.data(), y.data(), nullptr, aligned, threads);
            if (round > 0) {  // the first warms up
                times[d].push_back(seconds() - start);
            }
        }
    }
    const double dense = median(times[0]);
    for (size_t d = 0; d < densities; ++d) {
        const double time = median(times[d]);
        const double kept = std::max(1, shape.inputs / denominators[d]);
        std::printf("%-16s batch %3d  1/%-2d %10.1f us  %5.2f times dense  %6.1f GFLOP/s useful  %6.1f MB  n %4zu  %s\n",
                    shape.name, batch, denominators[d], time * 1e6, dense / time,
                    2.0 * batch * shape.outputs * kept / time / 1e9,
                    static_cast<double>(kofn_cpu_linear_bytes(plans[d])) / 1e6, times[d].size(),
                    kofn_cpu_linear_describe(plans[d]));
        kofn_cpu_linear_close(plans[d]);
    }
    std::fflush(stdout);
}

}  // namespace
}  // namespace kofn::linear

int main(int count, char** arguments) {
    using namespace kofn::linear;
    const auto number = [&](int i, int otherwise) { return count > i ? std::atoi(arguments[i]) : otherwise; };
    const int32_t threads = number(1, 2), share = number(3, 1);
    std::vector<int32_t> batches = {1, 8, 32, 128};
    if (number(2, 0) > 0) {
        batches = {number(2, 0)};
    }
    const std::string wanted = count > 4 ? arguments[4] : "";
    if (count > 5 && kofn_cpu_use_variant(arguments[5]) == 0) {
        std::fprintf(stderr, "there is no variant %s here\n", arguments[5]);
        return 2;
    }
    const int32_t precision = count > 6 ? KOFN_BF16 : KOFN_FP32;
    std::printf("%s, %d threads, share %d\n", kofn_cpu_variant(), threads, share);
    for (const int32_t batch : batches) {
        for (const Shape& shape : shapes) {
            if (std::string(shape.name).find(wanted) != std::string::npos && shape.outputs % share == 0) {
                time_layer(shape, batch, share, precision, threads);
            }
        }
    }
    return 0;
}
