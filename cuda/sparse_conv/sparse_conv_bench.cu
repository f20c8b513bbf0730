#include <string>

#include "../common/cuda_bench.cuh"
#include "bench_layers.h"
#include "sparse_conv_cuda.h"

/**
 * Times of sparse convolutions on a GPU, for the layers of VGG16, ResNet-18 and ResNet-50.
 *
 *   sparse_conv_bench [repeats=50] [batch=32] [case=vgg16]
 *
 * Prints one JSON object a line: for each layer, density, share of lists and precision, with a warm L2 cache and with
 * one that was flushed, the median microseconds by CUDA events, useful operations (those of kept weights), bytes that
 * must move (sparse_conv.h, "the floor"), and their share of the bandwidth of a device copy measured first. What one layer
 * allows is timed in turn, again and again, so that clock rates meet all alike.
 */
using namespace kofn;
using namespace kofn::conv;

namespace {

void require(int32_t status, const std::string& name) {
    if (status != KOFN_CONV_OK) {
        std::fprintf(stderr, "%s: status %d\n", name.c_str(), static_cast<int>(status));
        std::exit(1);
    }
}

/** One plan and its times. */
class Contender {
public:
    Contender(const Layer& layer, int32_t denominator, int32_t share, int32_t batch, int32_t precision)
        : name_(layer.name), denominator_(denominator), batch_(batch), spec_(spec_of(layer, denominator, share)),
          bf16_(precision == KOFN_BF16) {
        const Convolution convolution(spec_, 1, false);
        const kofn_conv conv = convolution.view();
        require(kofn_cuda_conv_open(&conv, batch, precision, &plan_), name_);
        require(kofn_cuda_conv_workspace(plan_) == 0 ? KOFN_CONV_OK : KOFN_CONV_MEMORY, name_);
    }
    ~Contender() { kofn_cuda_conv_close(plan_); }
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;

    bool bf16() const { return bf16_; }

    void run(const bench::Memory& x, const bench::Memory& y) const {
        require(kofn_cuda_conv_run(plan_, x.data, y.data, nullptr, nullptr, nullptr), name_);
    }

    void print(bool warm, const std::vector<double>& times, double bandwidth) const {
        const double us = bench::median(times), element = bf16_ ? 2 : 4;
        const double pixels = 1.0 * spec_.out_height() * spec_.out_width();
        const double weights = 1.0 * spec_.outputs * spec_.kept * spec_.rows * spec_.columns;
        const double activations =
            1.0 * batch_ * (1.0 * spec_.inputs * spec_.height * spec_.width + spec_.outputs * pixels);
        const double bytes = element * (activations + weights) + 4.0 * spec_.outputs / spec_.share * spec_.kept;
        std::printf("{\"case\": \"%s\", \"batch\": %d, \"density\": \"1/%d\", \"share\": %d, \"plan\": \"%s\", "
                    "\"l2\": \"%s\", \"us\": %.2f, \"tflops_useful\": %.2f, \"bytes\": %.0f, \"share_of_copy\": %.3f, "
                    "\"n\": %zu}\n",
                    name_, batch_, denominator_, spec_.share, kofn_cuda_conv_describe(plan_), warm ? "warm" : "flushed",
                    us, 2 * weights * pixels * batch_ / us * 1e-6, bytes, bytes / (us * 1e-6) / bandwidth, times.size());
        std::fflush(stdout);
    }

private:
    const char* name_;
    int32_t denominator_, batch_;
    Spec spec_;
    bool bf16_;
    kofn_cuda_conv_plan* plan_ = nullptr;
};

/** Lists of their own in fp32 and bf16; shared lists in tf32 and bf16. */
std::vector<std::unique_ptr<Contender>> contenders_of(const Layer& layer, int32_t batch) {
    std::vector<std::unique_ptr<Contender>> all;
    for (const int32_t denominator : {2, 4, 8, 16}) {
        for (const int32_t share : {1, 16, 32, 64, 128}) {
            for (const int32_t precision : {share == 1 ? KOFN_FP32 : KOFN_TF32, KOFN_BF16}) {
                if (layer.outputs % share == 0) {
                    all.push_back(std::make_unique<Contender>(layer, denominator, share, batch, precision));
                }
            }
        }
    }
    return all;
}

void time_layer(const Layer& layer, int32_t batch, int repeats, double bandwidth, const bench::Flush& flush) {
    const auto contenders = contenders_of(layer, batch);
    const Spec spec = spec_of(layer, 1, 1);
    const int64_t inputs = int64_t{batch} * spec.inputs * spec.height * spec.width;
    const int64_t outputs = int64_t{batch} * spec.outputs * spec.out_height() * spec.out_width();
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
    const bench::Options options(argc, argv);
    const double bandwidth = bench::print_device();
    const bench::Flush flush;
    for (const Layer& layer : layers) {
        if (options.wants(layer.name)) {
            time_layer(layer, options.batch, options.repeats, bandwidth, flush);
        }
    }
    return 0;
}
