#include <string>

#include "../common/cuda_bench.cuh"
#include "bench_layers.h"
#include "sparse_conv_backward_cuda.h"

/**
 * Times of the three passes of a training step of sparse convolutions on a GPU, for the layers of VGG16, ResNet-18 and
 * ResNet-50.
 *
 *   sparse_conv_backward_bench [repeats=50] [batch=32] [case=vgg16]
 *
 * Prints one JSON object a line: for each layer, density, share of lists, precision and pass, with a warm L2 cache and
 * with one that was flushed, the median microseconds by CUDA events, useful operations (those of kept weights, as many
 * in each pass), and the passes' share of the bandwidth of a device copy if they moved what they cannot do without. What
 * one layer allows is timed in turn.
 */
using namespace kofn;
using namespace kofn::conv;

namespace {

enum Pass { forward, data, weights };
constexpr Pass passes[] = {forward, data, weights};
constexpr const char* names[] = {"forward", "data", "weights"};

void require(int32_t status, const char* name) {
    if (status != KOFN_CONV_OK) {
        std::fprintf(stderr, "%s: status %d\n", name, static_cast<int>(status));
        std::exit(1);
    }
}

/** Tensors of a layer in one precision. */
struct Tensors {
    bench::Memory x, dx, y, dy;

    Tensors(const Spec& spec, int32_t batch, bool bf16)
        : x(inputs(spec, batch), bf16), dx(inputs(spec, batch), bf16), y(outputs(spec, batch), bf16),
          dy(outputs(spec, batch), bf16) {}

    static int64_t inputs(const Spec& s, int32_t batch) { return int64_t{batch} * s.inputs * s.height * s.width; }
    static int64_t outputs(const Spec& s, int32_t batch) {
        return int64_t{batch} * s.outputs * s.out_height() * s.out_width();
    }
};

/** The plans of one density, share and precision. */
class Contender {
public:
    Contender(const Layer& layer, int32_t denominator, int32_t share, int32_t batch, int32_t precision)
        : name_(layer.name),
          denominator_(denominator),
          batch_(batch),
          spec_(linear(spec_of(layer, denominator, share))),
          bf16_(precision == KOFN_BF16),
          kernels_(kept(spec_), false),
          gradient_(kept(spec_), false),
          bias_(spec_.outputs, false) {
        const Convolution convolution(spec_, 1, false);
        const kofn_conv conv = convolution.view();
        require(kofn_cuda_conv_open(&conv, batch, precision, &there_), name_);
        require(kofn_cuda_conv_backward_open(&conv, batch, precision, &back_), name_);
    }
    ~Contender() {
        kofn_cuda_conv_close(there_);
        kofn_cuda_conv_backward_close(back_);
    }
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;

    bool bf16() const { return bf16_; }
    int64_t workspace() const {
        return std::max({kofn_cuda_conv_workspace(there_), kofn_cuda_conv_backward_data_workspace(back_),
                         kofn_cuda_conv_backward_weights_workspace(back_)});
    }

    void run(Pass pass, const Tensors& t, void* workspace) const {
        const int32_t status = pass == forward
            ? kofn_cuda_conv_run(there_, t.x.data, t.y.data, nullptr, workspace, nullptr)
            : pass == data
            ? kofn_cuda_conv_backward_data(back_, static_cast<const float*>(kernels_.data), t.dy.data, t.dx.data,
                                           workspace, nullptr)
            : kofn_cuda_conv_backward_weights(back_, t.x.data, t.dy.data, static_cast<float*>(gradient_.data),
                                              static_cast<float*>(bias_.data), workspace, nullptr);
        require(status, name_);
    }

    void print(Pass pass, bool warm, const std::vector<double>& times, double bandwidth) const {
        const double us = bench::median(times), element = bf16_ ? 2 : 4;
        const double activations = static_cast<double>(Tensors::inputs(spec_, batch_) + Tensors::outputs(spec_, batch_));
        const double weights = static_cast<double>(kept(spec_));
        const double bytes = element * activations + (pass == forward ? element : 4) * weights;
        const double operations = 2 * weights * spec_.out_height() * spec_.out_width() * batch_;
        std::printf("{\"case\": \"%s\", \"batch\": %d, \"density\": \"1/%d\", \"share\": %d, \"pass\": \"%s\", "
                    "\"plan\": \"%s\", \"l2\": \"%s\", \"us\": %.2f, \"tflops_useful\": %.2f, \"bytes\": %.0f, "
                    "\"share_of_copy\": %.3f, \"n\": %zu}\n",
                    name_, batch_, denominator_, spec_.share, names[pass],
                    pass == forward ? kofn_cuda_conv_describe(there_) : kofn_cuda_conv_backward_describe(back_),
                    warm ? "warm" : "flushed", us, operations / us * 1e-6, bytes, bytes / (us * 1e-6) / bandwidth,
                    times.size());
        std::fflush(stdout);
    }

private:
    static Spec linear(Spec spec) {
        spec.activation = KOFN_IDENTITY;
        return spec;
    }
    static int64_t kept(const Spec& s) { return int64_t{s.outputs} * s.kept * s.rows * s.columns; }

    const char* name_;
    int32_t denominator_, batch_;
    Spec spec_;
    bool bf16_;
    bench::Memory kernels_, gradient_, bias_;
    kofn_cuda_conv_plan* there_ = nullptr;
    kofn_cuda_conv_backward* back_ = nullptr;
};

/** Lists of their own, and shared by 64 outputs: the forward pass then runs on tensor cores in bf16. */
std::vector<std::unique_ptr<Contender>> contenders_of(const Layer& layer, int32_t batch) {
    std::vector<std::unique_ptr<Contender>> all;
    for (const int32_t denominator : {2, 4, 8, 16}) {
        for (const int32_t share : {1, 64}) {
            for (const int32_t precision : {KOFN_FP32, KOFN_BF16}) {
                all.push_back(std::make_unique<Contender>(layer, denominator, share, batch, precision));
            }
        }
    }
    return all;
}

void time_layer(const Layer& layer, int32_t batch, int repeats, double bandwidth, const bench::Flush& flush) {
    const auto contenders = contenders_of(layer, batch);
    const Spec spec = spec_of(layer, 1, 1);
    const Tensors single(spec, batch, false), half(spec, batch, true);
    int64_t bytes = 4;
    for (const auto& contender : contenders) {
        bytes = std::max(bytes, contender->workspace());
    }
    const bench::Memory workspace(bytes / 4, false);
    std::vector<std::function<void()>> calls;
    for (const auto& contender : contenders) {
        for (const Pass pass : passes) {
            calls.push_back([&, pass, c = contender.get()] { c->run(pass, c->bf16() ? half : single, workspace.data); });
        }
    }
    for (const bool warm : {true, false}) {
        const auto times = bench::measure_in_turn(repeats, warm, flush, calls);
        for (size_t i = 0; i < calls.size(); ++i) {
            const size_t pass = i % std::size(passes);
            contenders[i / std::size(passes)]->print(passes[pass], warm, times[i], bandwidth);
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
