#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>

#include "../gumbel_topk/gumbel_topk.h"
#include "bench_layers.h"

/**
 * Times the convolutions of VGG16, ResNet-18 and ResNet-50 on random data:
 *
 *   sparse_conv_cpu_bench [threads [batch [share [part of a layer's name [variant [bf16]]]]]]
 *
 * With bf16 both precisions. All densities of a layer are timed in turn, again and again, so that what else the machine does hits all alike.
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

/** By precision (fp32, bf16), kind of layer (3×3, 1×1) and density. */
using Rates = Geomean[2][2][densities];

/** What a layer reads and writes in one precision, at all densities. */
struct Values {
    Tensor input, output;

    Values(const Layer& layer, const Spec& spec, int32_t batch, int32_t precision)
        : input(with(input_of(spec, kofn_tensor_form(batch, layer.size), batch, layer.taps / 2), precision)),
          output(with(output_of(spec, kofn_tensor_form(batch, layer.size), batch, layer.taps / 2), precision)) {
        std::vector<float> values(static_cast<size_t>(batch) * spec.inputs * spec.height * spec.width);
        std::mt19937_64 random(1);
        std::normal_distribution<float> normal;
        std::generate(values.begin(), values.end(), [&] { return normal(random); });
        input.set(values);
    }

private:
    static kofn_tensor with(kofn_tensor tensor, int32_t precision) {
        tensor.precision = precision;
        return tensor;
    }
};

/** A layer at one density in one precision, and how long its runs took. */
class Timed {
public:
    Timed(const Layer& layer, const Spec& spec, Values& values, int32_t threads)
        : layer_(layer), spec_(spec), threads_(threads), values_(values) {
        const Convolution convolution(spec, 1, false);
        const kofn_conv view = convolution.view();
        if (kofn_cpu_conv_open(&view, &values.input.layout, &values.output.layout, threads, &plan_) != KOFN_CONV_OK) {
            std::fprintf(stderr, "%s: refused\n", layer.name);
            std::exit(1);
        }
        workspace_ = std::make_unique<Memory>(kofn_cpu_conv_workspace(plan_));
    }

    ~Timed() { kofn_cpu_conv_close(plan_); }

    void run(bool counts) {
        const double start = seconds();
        kofn_cpu_conv_run(plan_, values_.input.data(), values_.output.data(), nullptr, workspace_->data(), threads_);
        if (counts) {
            times_.push_back(seconds() - start);
        }
    }

    /** Prints a line; returns useful operations a second. */
    double report() const {
        const double time = median(times_);
        const int32_t batch = values_.input.layout.batch;
        const double operations = 2.0 * batch * spec_.outputs * spec_.kept * spec_.rows * spec_.columns
            * spec_.out_height() * spec_.out_width();
        const int64_t tensors = values_.input.memory.size() + values_.output.memory.size();
        std::printf("%-18s batch %2d  1/%-2d  %9.3f ms  %6.1f GFLOP/s useful  n %3zu  MB %.2f plan %.2f tensors %.2f "
                    "workspace  %s\n",
                    layer_.name, batch, spec_.inputs / spec_.kept, time * 1e3, operations / time / 1e9, times_.size(),
                    static_cast<double>(kofn_cpu_conv_bytes(plan_)) / 1e6, 4e-6 * static_cast<double>(tensors),
                    4e-6 * static_cast<double>(workspace_->size()), kofn_cpu_conv_describe(plan_));
        return operations / time;
    }

private:
    Layer layer_;
    Spec spec_;
    int32_t threads_;
    Values& values_;
    kofn_conv_plan* plan_ = nullptr;
    std::unique_ptr<Memory> workspace_;
    std::vector<double> times_;
};

/** One layer at one batch: a line for each density and precision. */
void time_layer(const Layer& layer, int32_t batch, int32_t share, int32_t threads, bool bf16, Rates& rates) {
    std::vector<std::unique_ptr<Values>> values;
    for (const int32_t precision : {KOFN_FP32, KOFN_BF16}) {
        if (precision == KOFN_FP32 || bf16) {
            values.push_back(std::make_unique<Values>(layer, spec_of(layer, 1, share), batch, precision));
        }
    }
    std::vector<std::unique_ptr<Timed>> all;
    for (const int32_t denominator : denominators) {
        for (const auto& one : values) {
            all.push_back(std::make_unique<Timed>(layer, spec_of(layer, denominator, share), *one, threads));
        }
    }
    const double end = seconds() + 0.5;
    for (int round = 0; round < 4 || (seconds() < end && round < 400); ++round) {
        for (const auto& one : all) {
            one->run(round > 0);  // the first warms up
        }
    }
    for (size_t i = 0; i < all.size(); ++i) {
        rates[i % values.size()][layer.taps == 1][i / values.size()].add(all[i]->report() / 1e9);
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
    const bool bf16 = count > 6 && std::string(arguments[6]) == "bf16";
    std::printf("%s, %d threads, share %d\n", kofn_cpu_variant(), threads, share);
    for (const int32_t batch : batches) {
        Rates rates;
        for (const Layer& layer : layers) {
            if (std::string(layer.name).find(wanted) != std::string::npos && (batch < 32 || layer.size < 112)) {
                time_layer(layer, batch, share, threads, bf16, rates);
            }
        }
        for (const int i : {0, 1, 2, 3}) {
            const Geomean(&means)[densities] = rates[i % 2][i / 2];
            for (size_t d = 0; d < densities && means[d].count > 0; ++d) {
                std::printf("geometric mean, %s, %s, batch %d, 1/%d: %.1f GFLOP/s useful\n", i / 2 == 0 ? "3x3" : "1x1",
                            i % 2 == 0 ? "fp32" : "bf16", batch, denominators[d], means[d].value());
            }
        }
    }
    return 0;
}
