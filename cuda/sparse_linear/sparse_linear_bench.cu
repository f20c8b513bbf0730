#include <memory>
#include <string>

#include "../common/cuda_bench.cuh"
#include "fixture.h"
#include "sparse_linear_cuda.h"

/**
 * Times of sparse linear layers on a GPU: those of LeNet-300-100, VGG16, ResNet-50 and a transformer.
 *
 *   sparse_linear_bench [repeats=50] [batch=1] [case=vgg16]
 *
 * Prints one JSON object a line: for each layer, size of batch (1, 4, 16 and 32 unless one is named), density and
 * precision, with a warm L2 cache and with one that was flushed, the median microseconds by CUDA events, useful operations
 * (those of kept weights), bytes that must move, how many times more a dense layer's are, and their share of the bandwidth
 * of a device copy measured first. What one layer allows is timed in turn, so that clock rates meet all alike.
 */
using namespace kofn;
using namespace kofn::linear;

namespace {

struct Named {
    const char* name;
    int32_t inputs, outputs;
};

constexpr Named layers[] = {
    {"lenet-300-100 fc1", 784, 300}, {"vgg16 fc6", 25088, 4096}, {"vgg16 fc7", 4096, 4096},
    {"vgg16 fc8", 4096, 1000},       {"resnet-50 fc", 2048, 1000}, {"transformer mlp", 4096, 16384},
};

void require(int32_t status, const std::string& name) {
    if (status != KOFN_CONV_OK) {
        std::fprintf(stderr, "%s: status %d\n", name.c_str(), static_cast<int>(status));
        std::exit(1);
    }
}

/** One plan and its times. */
class Contender {
public:
    Contender(const Named& named, int32_t denominator, int32_t batch, int32_t precision)
        : named_(named), denominator_(denominator), batch_(batch), bf16_(precision == KOFN_BF16) {
        Spec spec;
        spec.inputs = named.inputs;
        spec.outputs = named.outputs;
        spec.kept = kept_ = named.inputs / denominator;
        spec.activation = KOFN_RELU;
        spec.bias = true;
        const Layer layer(spec, 1, false);
        const kofn_linear view = layer.view();
        require(kofn_cuda_linear_open(&view, batch, precision, &plan_), named.name);
    }
    ~Contender() { kofn_cuda_linear_close(plan_); }
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;

    bool bf16() const { return bf16_; }

    void run(const bench::Memory& x, const bench::Memory& y) const {
        require(kofn_cuda_linear_run(plan_, x.data, y.data, nullptr, nullptr), named_.name);
    }

    void print(bool warm, const std::vector<double>& times, double bandwidth) const {
        const double us = bench::median(times), element = bf16_ ? 2 : 4;
        const double weights = 1.0 * named_.outputs * kept_, all = 1.0 * named_.outputs * named_.inputs;
        const double activations = element * batch_ * (1.0 * named_.inputs + named_.outputs);
        const double bytes = activations + element * weights + std::min(2 * weights, all / 8);
        std::printf("{\"case\": \"%s\", \"batch\": %d, \"density\": \"1/%d\", \"plan\": \"%s\", \"l2\": \"%s\", "
                    "\"us\": %.2f, \"tflops_useful\": %.2f, \"bytes\": %.0f, \"bytes_of_dense\": %.2f, "
                    "\"share_of_copy\": %.3f, \"n\": %zu}\n",
                    named_.name, batch_, denominator_, kofn_cuda_linear_describe(plan_), warm ? "warm" : "flushed", us,
                    2 * weights * batch_ / us * 1e-6, bytes, (activations + element * all) / bytes,
                    bytes / (us * 1e-6) / bandwidth, times.size());
        std::fflush(stdout);
    }

private:
    Named named_;
    int32_t denominator_, batch_, kept_ = 0;
    bool bf16_;
    kofn_cuda_linear_plan* plan_ = nullptr;
};

void time_layer(const Named& named, int32_t batch, int repeats, double bandwidth, const bench::Flush& flush) {
    std::vector<std::unique_ptr<Contender>> contenders;
    for (const int32_t denominator : {1, 2, 4, 8, 16, 32}) {
        for (const int32_t precision : {KOFN_FP32, KOFN_BF16}) {
            contenders.push_back(std::make_unique<Contender>(named, denominator, batch, precision));
        }
    }
    const int64_t inputs = int64_t{batch} * named.inputs, outputs = int64_t{batch} * named.outputs;
    const bench::Memory x(inputs, false), y(outputs, false), half_x(inputs, true), half_y(outputs, true);
    std::vector<std::function<void()>> calls;
    for (const auto& contender : contenders) {
        calls.push_back([&, c = contender.get()] { c->bf16() ? c->run(half_x, half_y) : c->run(x, y); });
    }
    for (const bool warm : {true, false}) {
        const auto times = bench::measure_in_turn(repeats, warm, flush, calls);
        for (size_t c = 0; c < contenders.size(); ++c) {
            contenders[c]->print(warm, times[c], bandwidth);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    int repeats = 50;
    std::vector<int32_t> batches = {1, 4, 16, 32};
    std::string only;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument.rfind("repeats=", 0) == 0) {
            repeats = std::max(1, std::atoi(argument.c_str() + 8));
        } else if (argument.rfind("batch=", 0) == 0) {
            batches = {std::max(1, std::atoi(argument.c_str() + 6))};
        } else if (argument.rfind("case=", 0) == 0) {
            only = argument.substr(5);
        } else {
            std::fprintf(stderr, "unknown option %s\n", argv[i]);
            return 2;
        }
    }
    const double bandwidth = bench::print_device();
    const bench::Flush flush;
    for (const Named& named : layers) {
        for (const int32_t batch : batches) {
            if (std::string(named.name).find(only) != std::string::npos) {
                time_layer(named, batch, repeats, bandwidth, flush);
            }
        }
    }
    return 0;
}
