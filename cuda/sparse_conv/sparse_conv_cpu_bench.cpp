#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <string>

#include "../gumbel_topk/gumbel_topk.h"
#include "bench_layers.h"

/**
 * Times the convolutions of VGG16, ResNet-18 and ResNet-50 on random data:
 *
 *   sparse_conv_cpu_bench [threads [batch [share [part of a layer's name [variant]]]]]
 *
 * All densities of a layer are timed in turn, again and again, so that what else the machine does hits all alike.
 * Medians; "useful" operations are those of kept weights.
 */
namespace kofn::conv {
namespace {

constexpr int32_t denominators[] = {2, 4, 8, 16};
constexpr size_t densities = std::size(denominators);

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

struct Geomean {
    double logs = 0;
    int count = 0;

    void add(double x) {
        logs += std::log(x);
        ++count;
    }
    double value() const { return std::exp(logs / count); }
};

/** One layer at one batch: a line for each density. */
void time_layer(const Layer& layer, int32_t batch, int32_t share, int32_t threads, Geomean (&rates)[2][densities]) {
    const int32_t form = kofn_tensor_form(batch, layer.size), padding = layer.taps / 2;
    Spec spec = spec_of(layer, 1, share);
    Tensor input(input_of(spec, form, batch, padding)), output(output_of(spec, form, batch, padding));
    std::vector<float> values(static_cast<size_t>(batch) * spec.inputs * spec.height * spec.width);
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    input.set(values);

    kofn_conv_plan* plans[densities];
    int64_t workspace_floats = 1;
    for (size_t d = 0; d < densities; ++d) {
        spec.kept = spec.inputs / denominators[d];
        const Convolution convolution(spec, d, false);
        const kofn_conv view = convolution.view();
        if (kofn_cpu_conv_open(&view, &input.layout, &output.layout, threads, &plans[d]) != KOFN_CONV_OK) {
            std::fprintf(stderr, "%s: refused\n", layer.name);
            std::exit(1);
        }
        workspace_floats = std::max(workspace_floats, kofn_cpu_conv_workspace(plans[d]));
    }
    Memory workspace(workspace_floats);
    std::vector<double> times[densities];
    const double end = seconds() + 0.5;
    for (int round = 0; round < 4 || (seconds() < end && round < 400); ++round) {
        for (size_t d = 0; d < densities; ++d) {
            const double start = seconds();
            kofn_cpu_conv_run(plans[d], input.data(), output.data(), nullptr, workspace.data(), threads);
            if (round > 0) { // the first warms up
                times[d].push_back(seconds() - start);
            }
        }
    }
    for (size_t d = 0; d < densities; ++d) {
        const double time = median(times[d]);
        const double operations = 2.0 * batch * spec.outputs * (spec.inputs / denominators[d]) * layer.taps * layer.taps
            * spec.out_height() * spec.out_width();
        std::printf("%-18s batch %2d  1/%-2d  %9.3f ms  %6.1f GFLOP/s useful  n %3zu  %s\n", layer.name, batch,
                    denominators[d], time * 1e3, operations / time / 1e9, times[d].size(),
                    kofn_cpu_conv_describe(plans[d]));
        rates[layer.taps == 1][d].add(operations / time / 1e9);
        kofn_cpu_conv_close(plans[d]);
    }
    std::fflush(stdout);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    const auto number = [&](int i, int otherwise) { return count > i ? std::atoi(arguments[i]) : otherwise; };
    const int32_t threads = number(1, 2), share = number(3, 1);
    std::vector<int32_t> batches = {1, 32};
    if (number(2, 0) > 0) {
        batches = {number(2, 0)};
    }
    const std::string wanted = count > 4 ? arguments[4] : "";
    if (count > 5) {
        if (kofn_cpu_use_variant(arguments[5]) == 0) {
            std::fprintf(stderr, "there is no variant %s here\n", arguments[5]);
            return 2;
        }
    }
    std::printf("%s, %d threads, share %d\n", kofn_cpu_variant(), threads, share);
    for (const int32_t batch : batches) {
        Geomean rates[2][densities];
        for (const Layer& layer : layers) {
            if (std::string(layer.name).find(wanted) != std::string::npos && (batch < 32 || layer.size < 112)) {
                time_layer(layer, batch, share, threads, rates);
            }
        }
        for (const int kind : {0, 1}) {
            for (size_t d = 0; d < densities && rates[kind][d].count > 0; ++d) {
                std::printf("geometric mean, %s, batch %d, 1/%d: %.1f GFLOP/s useful\n", kind == 0 ? "3x3" : "1x1",
                            batch, denominators[d], rates[kind][d].value());
            }
        }
    }
    return 0;
}
