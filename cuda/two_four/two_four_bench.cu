#include <string>

#include "../common/cuda_bench.cuh"
#include "fixture.h"

/**
 * Times of 2:4 layers on a GPU, in both precisions.
 *
 *   two_four_bench [repeats=50] [case=linear]
 *
 * Prints one JSON object a line: for each layer, with a warm L2 cache and with one that was flushed, the median
 * microseconds by CUDA events, operations counted as those of a dense product, bytes that must move (two_four.h, "the
 * floor"), and their share of the bandwidth of a device copy measured first.
 */
using namespace kofn;
using namespace kofn::bench;
using namespace kofn::two_four;

namespace {

void require(int32_t status, const std::string& name) {
    if (status != KOFN_CONV_OK) {
        std::fprintf(stderr, "%s: status %d\n", name.c_str(), static_cast<int>(status));
        std::exit(1);
    }
}

struct Named {
    std::string name;
    Spec spec;
};

/** The 1×1 convolutions of ResNet-50's four stages, and linear layers. */
std::vector<Named> cases() {
    std::vector<Named> all;
    const auto add = [&all](const char* kind, int32_t inputs, int32_t outputs, int32_t batch, int32_t pixels) {
        Spec s;
        s.inputs = inputs;
        s.outputs = outputs;
        s.batch = batch;
        s.pixels = pixels;
        s.activation = KOFN_RELU;
        s.bias = true;
        all.push_back({std::string(kind) + " " + std::to_string(inputs) + " to " + std::to_string(outputs) + ", batch "
                           + std::to_string(batch) + ", " + std::to_string(pixels) + " pixels",
                       s});
    };
    for (const int32_t batch : {1, 32, 128}) {
        int32_t width = 64;
        for (const int32_t side : {56, 28, 14, 7}) {
            add("conv", 4 * width, width, batch, side * side);
            add("conv", width, 4 * width, batch, side * side);
            width *= 2;
        }
    }
    for (const int32_t batch : {1, 32, 256, 4096}) {
        add("linear", 4096, 4096, batch, 1);
        add("linear", 25088, 4096, batch, 1);
    }
    return all;
}

void measure_case(const Named& named, int32_t precision, int repeats, double bandwidth,
                  const std::function<void()>& flush) {
    const Spec& s = named.spec;
    Random random(1);
    const Layer layer(s, random, false);
    const kofn_two_four view = layer.view();
    kofn_cuda_two_four_plan* plan = nullptr;
    require(kofn_cuda_two_four_open(&view, precision, &plan), named.name);
    const bool bf16 = precision == KOFN_BF16;
    Memory x(static_cast<int64_t>(s.input_size()), bf16), y(static_cast<int64_t>(s.output_size()), bf16);
    const double weights = 1.0 * s.outputs * s.inputs, size = static_cast<double>(size_of_element(precision));
    const double operations = 2 * weights * s.batch * s.pixels;
    const double bytes = size * static_cast<double>(s.input_size() + s.output_size()) + weights * (size / 2 + 0.125);
    for (const bool warm : {true, false}) {
        const double us = measure(repeats, warm ? std::function<void()>([] {}) : flush, [&] {
            require(kofn_cuda_two_four_run(plan, x.data, y.data, nullptr, nullptr), named.name);
        });
        std::printf("{\"case\": \"%s\", \"plan\": \"%s\", \"l2\": \"%s\", \"us\": %.2f, \"tflops_as_dense\": %.1f, "
                    "\"bytes\": %.0f, \"share_of_copy\": %.3f, \"n\": %d}\n",
                    named.name.c_str(), kofn_cuda_two_four_describe(plan), warm ? "warm" : "flushed", us,
                    operations / us * 1e-6, bytes, bytes / (us * 1e-6) / bandwidth, repeats);
        std::fflush(stdout);
    }
    kofn_cuda_two_four_close(plan);
}

}  // namespace

int main(int argc, char** argv) {
    int repeats = 50;
    std::string only;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument.rfind("repeats=", 0) == 0) {
            repeats = std::max(1, std::atoi(argument.c_str() + 8));
        } else if (argument.rfind("case=", 0) == 0) {
            only = argument.substr(5);
        } else {
            std::fprintf(stderr, "unknown option %s\n", argv[i]);
            return 2;
        }
    }
    const double bandwidth = print_device();
    const Flush flush;
    for (const Named& named : cases()) {
        for (const int32_t precision : {KOFN_BF16, KOFN_TF32}) {
            if (named.name.find(only) != std::string::npos) {
                measure_case(named, precision, repeats, bandwidth, std::cref(flush));
            }
        }
    }
    return 0;
}
