#include <chrono>
#include <cstdio>
#include <string>

#include "../gumbel_topk/gumbel_topk.h"
#include "fixture.h"
#include "sparse_conv_backward.h"

/**
 * Times the three passes of a training step, for convolutions of ResNets on pictures of CIFAR and ImageNet size, on
 * random data:
 *
 *   sparse_conv_backward_cpu_bench [threads [batch [part of a layer's name [variant]]]]
 *
 * The passes of all densities are timed in turn, again and again, so that what else the machine does hits all alike.
 * Medians; "useful" operations are those of kept weights, as many in each pass.
 */
namespace kofn::conv {
namespace {

struct Layer {
    const char* name;
    int32_t inputs, outputs, size, taps, stride;
};

constexpr Layer layers[] = {
    {"cifar 32", 64, 64, 32, 3, 1},           {"cifar 16", 128, 128, 16, 3, 1},
    {"cifar 8", 256, 256, 8, 3, 1},           {"cifar 4", 512, 512, 4, 3, 1},
    {"cifar 32 down", 64, 128, 32, 3, 2},     {"resnet18 l1", 64, 64, 56, 3, 1},
    {"resnet18 l2", 128, 128, 28, 3, 1},      {"resnet18 l3", 256, 256, 14, 3, 1},
    {"resnet18 l4", 512, 512, 7, 3, 1},       {"resnet18 l4 down", 256, 512, 14, 3, 2},
    {"resnet50 256-64", 256, 64, 56, 1, 1},   {"resnet50 1024-256", 1024, 256, 14, 1, 1},
};

constexpr int32_t denominators[] = {2, 4, 8, 16};
constexpr size_t densities = std::size(denominators);

enum Pass { forward, data, weights, passes };

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

void fill(Tensor& tensor, uint64_t seed) {
    const kofn_tensor& t = tensor.layout;
    std::vector<float> values(static_cast<size_t>(t.batch) * t.channels * t.height * t.width);
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    tensor.set(values);
}

/** The plans of one density. */
struct Plans {
    Convolution convolution;
    kofn_conv_plan* there = nullptr;
    kofn_conv_backward* back = nullptr;

    Plans(const Spec& spec, const Tensor& input, const Tensor& output, int32_t threads) : convolution(spec, 2, false) {
        const kofn_conv view = convolution.view();
        if (kofn_cpu_conv_open(&view, &input.layout, &output.layout, threads, &there) != KOFN_CONV_OK
            || kofn_cpu_conv_backward_open(&view, &input.layout, &output.layout, threads, &back) != KOFN_CONV_OK) {
            std::fprintf(stderr, "refused\n");
            std::exit(1);
        }
    }
    Plans(const Plans&) = delete;
    ~Plans() {
        kofn_cpu_conv_close(there);
        kofn_cpu_conv_backward_close(back);
    }

    int64_t workspace() const {
        return std::max({kofn_cpu_conv_workspace(there), kofn_cpu_conv_backward_data_workspace(back),
                         kofn_cpu_conv_backward_weights_workspace(back)});
    }
};

/** One layer: a line for each density. */
void time_layer(const Layer& layer, int32_t batch, int32_t threads) {
    Spec spec;
    spec.inputs = layer.inputs;
    spec.outputs = layer.outputs;
    spec.height = spec.width = layer.size;
    spec.rows = spec.columns = layer.taps;
    spec.stride_rows = spec.stride_columns = layer.stride;
    spec.padding_rows = spec.padding_columns = layer.taps / 2;
    const int32_t form = kofn_tensor_form(batch, layer.size), halo = layer.taps / 2;
    const kofn_tensor in = input_of(spec, form, batch, halo), out = output_of(spec, form, batch, halo);
    Tensor input(in), grad_input(in), output(out), grad_output(out);
    fill(input, 0);
    fill(grad_output, 1);

    std::vector<std::unique_ptr<Plans>> plans;
    int64_t floats = 1;
    for (const int32_t denominator : denominators) {
        spec.kept = spec.inputs / denominator;
        plans.push_back(std::make_unique<Plans>(spec, input, output, threads));
        floats = std::max(floats, plans.back()->workspace());
    }
    Memory workspace(floats), gradients(static_cast<int64_t>(plans[0]->convolution.weights.size()));
    std::vector<double> times[densities][passes];
    const double end = seconds() + 1;
    for (int round = 0; round < 4 || (seconds() < end && round < 200); ++round) {
        for (size_t d = 0; d < densities; ++d) {
            const Plans& p = *plans[d];
            double at[passes + 1] = {seconds()};
            kofn_cpu_conv_run(p.there, input.data(), output.data(), nullptr, workspace.data(), threads);
            at[1] = seconds();
            kofn_cpu_conv_backward_data(p.back, p.convolution.weights.data(), grad_output.data(), grad_input.data(),
                                        workspace.data(), threads);
            at[2] = seconds();
            kofn_cpu_conv_backward_weights(p.back, input.data(), grad_output.data(), gradients.data(), nullptr,
                                           workspace.data(), threads);
            at[3] = seconds();
            for (int pass = 0; pass < passes && round > 0; ++pass) { // the first round warms up
                times[d][pass].push_back(at[pass + 1] - at[pass]);
            }
        }
    }
    for (size_t d = 0; d < densities; ++d) {
        const double operations = 2.0 * batch * spec.outputs * (spec.inputs / denominators[d]) * layer.taps
            * layer.taps * spec.out_height() * spec.out_width();
        const auto rate = [&](Pass pass) { return operations / median(times[d][pass]) / 1e9; };
        std::printf("%-18s batch %2d  1/%-2d  useful GFLOP/s: forward %5.1f  data %5.1f  weights %5.1f  n %3zu  %s\n",
                    layer.name, batch, denominators[d], rate(forward), rate(data), rate(weights),
                    times[d][forward].size(), kofn_cpu_conv_backward_describe(plans[d]->back));
    }
    std::fflush(stdout);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    const auto number = [&](int i, int otherwise) { return count > i ? std::atoi(arguments[i]) : otherwise; };
    const std::string wanted = count > 3 ? arguments[3] : "";
    if (count > 4 && kofn_cpu_use_variant(arguments[4]) == 0) {
        std::fprintf(stderr, "there is no variant %s here\n", arguments[4]);
        return 2;
    }
    std::printf("%s, %d threads\n", kofn_cpu_variant(), number(1, 2));
    for (const Layer& layer : layers) {
        if (std::string(layer.name).find(wanted) != std::string::npos) {
            time_layer(layer, number(2, 32), number(1, 2));
        }
    }
    return 0;
}
