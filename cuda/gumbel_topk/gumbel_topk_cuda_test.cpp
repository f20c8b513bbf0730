#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../common/check.h"
#include "../emulation/cuda_or_emulation.h"
#include "fixture.h"
#include "gumbel_topk.h"
#include "reference.h"

/**
 * The CUDA kernels against the plain reference: masks bit for bit, gradients against double precision. Built twice: with
 * KOFN_EMULATED for the emulation, else for a real GPU. Either way tensors are in memory of the device, with guards
 * around them.
 */
using namespace kofn;

namespace {

void require(cudaError_t error) {
    if (error != cudaSuccess) {
        std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
        std::exit(1);
    }
}

/** A copy of host memory on the device, between guards. */
template <class T>
class DeviceBuffer {
public:
    explicit DeviceBuffer(Buffer<T>& host) : host_(host), bytes_(static_cast<size_t>(host.size()) * sizeof(T)) {
        require(cudaMalloc(&memory_, bytes_ + 2 * guard));
        std::vector<unsigned char> all(bytes_ + 2 * guard, pattern);
        std::memcpy(all.data() + guard, host.data(), bytes_);
        require(cudaMemcpy(memory_, all.data(), all.size(), cudaMemcpyHostToDevice));
    }
    ~DeviceBuffer() { cudaFree(memory_); }
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;

    T* data() { return reinterpret_cast<T*>(memory_ + guard); }

    /** Copies back to the host; false if something wrote outside. */
    bool fetch() {
        std::vector<unsigned char> all(bytes_ + 2 * guard);
        require(cudaMemcpy(all.data(), memory_, all.size(), cudaMemcpyDeviceToHost));
        std::memcpy(host_.data(), all.data() + guard, bytes_);
        bool intact = true;
        for (size_t i = 0; i < guard; ++i) {
            intact = intact && all[i] == pattern && all[guard + bytes_ + i] == pattern;
        }
        return intact;
    }

private:
    static constexpr size_t guard = 256;
    static constexpr unsigned char pattern = 0xA5;
    Buffer<T>& host_;
    size_t bytes_;
    unsigned char* memory_ = nullptr;
};

/** A layer whose tensors are on the device, and what they should become. */
struct DeviceLayer {
    TestLayer result, expected;
    DeviceBuffer<float> logits, latent;
    DeviceBuffer<uint8_t> effective, mask;
    DeviceBuffer<uint32_t> bits;
    DeviceBuffer<int32_t> indices;
    DeviceBuffer<uint8_t> effective_gradient;
    DeviceBuffer<float> latent_gradient, logit_gradient, temperature_gradient;

    explicit DeviceLayer(const TestLayer& layer)
        : result(layer),
          expected(layer),
          logits(result.logits),
          latent(result.latent),
          effective(result.effective),
          mask(result.mask),
          bits(result.bits),
          indices(result.indices),
          effective_gradient(result.effective_gradient),
          latent_gradient(result.latent_gradient),
          logit_gradient(result.logit_gradient),
          temperature_gradient(result.temperature_gradient) {}
    DeviceLayer(const LayerSpec& spec, uint64_t seed) : DeviceLayer(TestLayer(spec, seed)) {}

    kofn_layer view() {
        kofn_layer layer = result.view();
        layer.logits = logits.data();
        layer.latent = latent.data();
        layer.effective = effective.data();
        layer.mask = mask.data();
        layer.bits = bits.data();
        layer.indices = indices.data();
        layer.effective_gradient = effective_gradient.data();
        layer.latent_gradient = latent_gradient.data();
        layer.logit_gradient = logit_gradient.data();
        layer.temperature_gradient = temperature_gradient.data();
        return layer;
    }

    void fetch() {
        CHECK(logits.fetch() && latent.fetch() && effective.fetch() && mask.fetch() && bits.fetch() && indices.fetch()
              && effective_gradient.fetch() && latent_gradient.fetch() && logit_gradient.fetch()
              && temperature_gradient.fetch());
    }
};

using Layers = std::vector<std::unique_ptr<DeviceLayer>>;

std::vector<kofn_layer> views(Layers& layers) {
    std::vector<kofn_layer> all;
    for (auto& layer : layers) {
        all.push_back(layer->view());
    }
    return all;
}

kofn_cuda_context* context;

/** All the layers' groups. */
int64_t sampled_groups = 0;

/** Says which layer the checks that failed since were about. */
void name_failures(long before, const LayerSpec& spec, const kofn_draw& draw) {
    if (checks_failed > before && checks_failed <= 20) {
        std::fprintf(stderr, "  granularity %d, [%ld, %ld, %ld, %ld], m %ld, share %ld, k %ld, logits %d, type %d, tau %g\n",
                     static_cast<int>(spec.granularity), static_cast<long>(spec.outputs),
                     static_cast<long>(spec.inputs), static_cast<long>(spec.rows), static_cast<long>(spec.columns),
                     static_cast<long>(spec.m), static_cast<long>(spec.share), static_cast<long>(spec.kept),
                     static_cast<int>(spec.logits), spec.type, draw.temperature);
    }
}

/** Samples layers in one call and compares everything with the reference. */
void check_sample(Layers& layers, const kofn_draw& draw) {
    std::vector<kofn_layer> table = views(layers);
    CHECK(kofn_cuda_sample(context, table.data(), static_cast<int32_t>(table.size()), &draw, nullptr) == 0);
    CHECK(kofn_cuda_status(context, 1, nullptr) == 0);
    for (auto& layer : layers) {
        long before = checks_failed;
        layer->fetch();
        CHECK(reference::sample(layer->expected.view(), draw));
        CHECK(layer->result.mask == layer->expected.mask);
        CHECK(layer->result.bits == layer->expected.bits);
        CHECK(layer->result.indices == layer->expected.indices);
        CHECK(layer->result.effective == layer->expected.effective);
        sampled_groups += layer->result.groups;
        name_failures(before, layer->result.spec, draw);
    }
}

double worst_gradient = 0, worst_temperature = 0;

/** Whether a value is within 10⁻⁵ of the scale, beside what may be dropped; notes the worst. */
bool is_near(double value, double wanted, double scale, double dropped, double& worst) {
    double excess = std::abs(value - wanted) - dropped;
    if (!(excess > 0)) {
        return std::isfinite(value);
    }
    worst = std::max(worst, excess / scale);
    return excess <= 1e-5 * scale;
}

/**
 * What the kernels drop and the oracle does not: exp_nonpositive is 0 below −87, where the oracle's weights are at most
 * e⁻⁸⁷ = 1.7·10⁻³⁸ each. A difference of v is below 10³ in these layers. Only groups all of whose gradients are some 10⁻³⁰
 * and less can tell.
 */
double dropped_in_group(int64_t n, double temperature) {
    return static_cast<double>(n) * 1.7e-38 * 1e3 / temperature;
}

/** Compares the gradients of a group with the oracle. */
void check_group(DeviceLayer& layer, const kofn_draw& draw, int64_t group) {
    const kofn_layer view = layer.expected.view();
    const int64_t n = layer.result.candidates;
    auto oracle = reference::backward<double>(view, draw, group);
    double largest = 0;
    for (double gradient : oracle.logits) {
        largest = std::max(largest, std::abs(gradient));
    }
    const double dropped = dropped_in_group(n, draw.temperature);
    bool near = true;
    for (int64_t c = 0; c < n; ++c) {
        near = is_near(layer.result.logit_gradient[group * n + c], oracle.logits[c], largest, dropped, worst_gradient)
            && near;
    }
    CHECK(near);
    // ∂L/∂τ = −Σ ∂L/∂φ·(s − s_k), without the entropy, may cancel: relative to what its terms amount to without their
    // signs, and to the largest that they could be, since ∂L/∂φ is exact relative to its largest alone.
    kofn_draw without_entropy = draw;
    without_entropy.entropy = 0;
    auto relaxed = reference::backward<double>(view, without_entropy, group);
    std::vector<float> y = reference::scores(view, draw, group);
    float last = y[reference::largest(y, view.kept).back()];
    double terms = 0, steepest = 0, farthest = 0;
    for (int64_t c = 0; c < n; ++c) {
        double distance = std::abs((static_cast<double>(y[c]) - last) / draw.temperature);
        terms += std::abs(relaxed.logits[c]) * distance;
        steepest = std::max(steepest, std::abs(relaxed.logits[c]));
        farthest = std::max(farthest, distance);
    }
    // Beyond e⁻⁷⁴⁵ the oracle has no weights either.
    CHECK(is_near(layer.result.temperature_gradient[group], oracle.temperature, terms + steepest * farthest,
                  dropped * std::min(farthest, 745.0), worst_temperature));
}

/** Gradients of layers in one call, after check_sample with the same draw; `groups` of each are compared. */
void check_backward(Layers& layers, const kofn_draw& draw, int64_t groups) {
    std::vector<kofn_layer> table = views(layers);
    const int32_t count = static_cast<int32_t>(table.size());
    CHECK(kofn_cuda_sample_backward(context, table.data(), count, &draw, nullptr) == 0);
    for (auto& layer : layers) {
        long before = checks_failed;
        layer->fetch();
        reference::latent_gradient(layer->expected.view(), draw.dense_gradient != 0);
        CHECK(layer->result.latent_gradient == layer->expected.latent_gradient);
        for (int64_t group = 0; group < std::min(groups, layer->result.groups); ++group) {
            check_group(*layer, draw, group);
        }
        name_failures(before, layer->result.spec, draw);
    }
    // Again, which must give the same bits.
    CHECK(kofn_cuda_sample_backward(context, table.data(), count, &draw, nullptr) == 0);
    for (auto& layer : layers) {
        Buffer<float> logits = layer->result.logit_gradient;
        Buffer<float> temperature = layer->result.temperature_gradient;
        layer->fetch();
        CHECK(layer->result.logit_gradient == logits);
        CHECK(layer->result.temperature_gradient == temperature);
    }
}

kofn_draw draw_of(std::mt19937_64& random) {
    const float temperatures[] = {5.0f, 2.0f, 1.0f, 0.5f, 0.2f, 0.1f};
    kofn_draw draw{};
    draw.seed = random();
    draw.step = static_cast<uint32_t>(random());
    draw.temperature = temperatures[random() % 6];
    draw.noise = random() % 4 == 0 ? 0.0f : random() % 2 == 0 ? 1.0f : 0.3f;
    draw.entropy = random() % 2 == 0 ? 0.0f : 0.01f;
    draw.dense_gradient = static_cast<int32_t>(random() % 2);
    return draw;
}

LayerSpec weight_layer(int64_t outputs, int64_t candidates, int64_t kept) {
    LayerSpec spec;
    spec.outputs = outputs;
    spec.inputs = candidates;
    spec.kept = kept;
    return spec;
}

/** Layers of every kind, several in one call. */
void random_layers(int calls) {
    std::mt19937_64 random(1);
    for (int call = 0; call < calls; ++call) {
        Layers layers;
        const int count = 1 + static_cast<int>(random() % 4);
        for (int i = 0; i < count; ++i) {
            LayerSpec spec = random_layer(random);
            while (spec.weights() > 2'000'000) {
                spec = random_layer(random);
            }
            layers.push_back(std::make_unique<DeviceLayer>(spec, random()));
        }
        kofn_draw draw = draw_of(random);
        check_sample(layers, draw);
        check_backward(layers, draw, 4);
    }
}

/** Every size class at its limits, few and many kept, and more than shared memory can sort. */
void limits() {
    std::mt19937_64 random(2);
    for (int64_t n : {1, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129, 256, 257, 512, 513, 2048, 2049, 8192, 8193}) {
        Layers layers;
        for (int64_t kept : {int64_t{1}, (n + 1) / 2, n}) {
            LayerSpec spec = weight_layer(3, n, kept);
            layers.push_back(std::make_unique<DeviceLayer>(spec, random()));
            spec.logits = Logits::ties;
            layers.push_back(std::make_unique<DeviceLayer>(spec, random()));
        }
        for (float noise : {0.0f, 1.0f}) {
            kofn_draw draw = draw_of(random);
            draw.noise = noise;
            check_sample(layers, draw);
            check_backward(layers, draw, 1);
        }
    }
}

/** A neuron of VGG16's first linear layer, and in the long form the largest group. */
void large_groups() {
    std::mt19937_64 random(3);
    Layers layers;
    layers.push_back(std::make_unique<DeviceLayer>(weight_layer(2, 25088, 12544), 1));
    layers.push_back(std::make_unique<DeviceLayer>(weight_layer(3, 25088, 250), 2));
    layers.push_back(std::make_unique<DeviceLayer>(weight_layer(20, 5000, 2500), 3));
    if (extended()) {
        layers.push_back(std::make_unique<DeviceLayer>(weight_layer(1, int64_t{1} << 20, 300'000), 4));
        layers.push_back(std::make_unique<DeviceLayer>(weight_layer(1, int64_t{1} << 20, int64_t{1} << 20), 5));
    }
    kofn_draw draw = draw_of(random);
    draw.noise = 1;
    draw.temperature = 0.5f;
    check_sample(layers, draw);
    check_backward(layers, draw, 20);
}

/** Groups with so many elements that they are split over blocks. */
void wide_layers() {
    std::mt19937_64 random(4);
    Layers layers;
    for (Granularity granularity : {Granularity::filter, Granularity::kernel, Granularity::weight}) {
        for (int32_t type : {KOFN_FLOAT32, KOFN_BFLOAT16}) {
            LayerSpec spec;
            spec.granularity = granularity;
            spec.outputs = 96;
            spec.inputs = 70;
            spec.rows = spec.columns = 3;
            spec.share = granularity == Granularity::filter ? 1 : 48;
            spec.kept = 20;
            spec.type = type;
            layers.push_back(std::make_unique<DeviceLayer>(spec, random()));
        }
    }
    kofn_draw draw = draw_of(random);
    check_sample(layers, draw);
    check_backward(layers, draw, 2);
}

/** More layers than one launch takes. */
void many_layers() {
    std::mt19937_64 random(5);
    Layers layers;
    for (int i = 0; i < 150; ++i) {
        LayerSpec spec = random_layer_of(random, 1 + static_cast<int64_t>(random() % 40), 3);
        spec.index = static_cast<uint32_t>(i);
        layers.push_back(std::make_unique<DeviceLayer>(spec, random()));
    }
    kofn_draw draw = draw_of(random);
    check_sample(layers, draw);
    check_backward(layers, draw, 1);
}

/** Masks that exist already. */
void existing_masks() {
    std::mt19937_64 random(6);
    for (int call = 0; call < 40; ++call) {
        Layers layers;
        for (int i = 0; i < 3; ++i) {
            LayerSpec spec = random_layer_of(random, 1 + static_cast<int64_t>(random() % 50), 10);
            TestLayer layer(spec, random());
            for (int64_t j = 0; j < layer.mask.size(); ++j) {
                layer.mask[j] = static_cast<uint8_t>(random() % 2);
            }
            layers.push_back(std::make_unique<DeviceLayer>(layer));
        }
        std::vector<kofn_layer> table = views(layers);
        const int32_t dense = call % 2;
        CHECK(kofn_cuda_apply(context, table.data(), 3, nullptr) == 0);
        CHECK(kofn_cuda_apply_backward(context, table.data(), 3, dense, nullptr) == 0);
        for (auto& layer : layers) {
            layer->fetch();
            reference::apply(layer->expected.view());
            reference::latent_gradient(layer->expected.view(), dense != 0);
            CHECK(layer->result.effective == layer->expected.effective);
            CHECK(layer->result.latent_gradient == layer->expected.latent_gradient);
            CHECK(layer->result.bits == layer->expected.bits && layer->result.mask == layer->expected.mask);
        }
    }
}

/** Tensors that may be absent are neither read nor written; and what else there is stays the same. */
void absent_tensors() {
    std::mt19937_64 random(7);
    Layers layers;
    for (int64_t n : {3, 60, 700}) {
        layers.push_back(std::make_unique<DeviceLayer>(weight_layer(5, n, (n + 2) / 3), random()));
    }
    kofn_draw draw = draw_of(random);
    check_sample(layers, draw);
    check_backward(layers, draw, 5);
    std::vector<kofn_layer> table = views(layers);
    for (kofn_layer& layer : table) {
        layer.latent_gradient = nullptr;
        layer.temperature_gradient = nullptr;
        layer.mask = nullptr;
        layer.effective = nullptr;
    }
    std::vector<Buffer<float>> before;
    for (auto& layer : layers) {
        before.push_back(layer->result.logit_gradient);
    }
    CHECK(kofn_cuda_sample_backward(context, table.data(), 3, &draw, nullptr) == 0);
    for (size_t i = 0; i < layers.size(); ++i) {
        layers[i]->fetch();
        CHECK(layers[i]->result.logit_gradient == before[i]);
    }
}

/** What is refused is named, and nothing is written. */
void refusals() {
    std::mt19937_64 random(8);
    Layers layers;
    for (int i = 0; i < 3; ++i) {
        layers.push_back(std::make_unique<DeviceLayer>(weight_layer(4, 10, 3), random()));
    }
    kofn_draw draw = draw_of(random);
    auto refused = [&](auto change) {
        std::vector<kofn_layer> table = views(layers);
        change(table[1]);
        CHECK(kofn_cuda_sample(context, table.data(), 3, &draw, nullptr) == -2);
        CHECK(kofn_cuda_sample_backward(context, table.data(), 3, &draw, nullptr) == -2);
    };
    refused([](kofn_layer& layer) { layer.kept = 0; });
    refused([](kofn_layer& layer) { layer.kept = 11; });
    refused([](kofn_layer& layer) { layer.layout.candidates = 0; });
    refused([](kofn_layer& layer) { layer.layout.candidates = (int64_t{1} << 20) + 1; });
    // Beyond what 32 bits of offset inside a group reach.
    refused([](kofn_layer& layer) { layer.layout.candidate_stride = int64_t{1} << 31; });
    refused([](kofn_layer& layer) { layer.layout.candidate_stride = int64_t{1} << 28; });
    refused([](kofn_layer& layer) {
        layer.layout.element_sizes[1] = 3;
        layer.layout.element_strides[1] = int64_t{1} << 30;
    });
    refused([](kofn_layer& layer) { layer.layout.group_sizes[2] = int64_t{1} << 29; });
    refused([](kofn_layer& layer) { layer.layout.group_strides[0] = -1; });
    refused([](kofn_layer& layer) { layer.effective_type = 2; });
    refused([](kofn_layer& layer) { layer.logits = nullptr; });
    refused([](kofn_layer& layer) { layer.latent = nullptr; });
    std::vector<kofn_layer> table = views(layers);
    table[2].mask = nullptr;
    CHECK(kofn_cuda_apply(context, table.data(), 3, nullptr) == -3);
    table[0].latent_gradient = nullptr;
    CHECK(kofn_cuda_apply_backward(context, table.data(), 3, 0, nullptr) == -1);
    CHECK(kofn_cuda_sample(context, table.data(), 0, &draw, nullptr) == 0);
    for (auto& layer : layers) {
        layer->fetch();
        CHECK(layer->result.mask == layer->expected.mask && layer->result.effective == layer->expected.effective);
        CHECK(layer->result.logit_gradient == layer->expected.logit_gradient);
    }
    CHECK(kofn_cuda_status(context, 1, nullptr) == 0);
}

/** Scores that are no finite numbers are reported by the layer, in every size class, whatever the launch order. */
void not_finite() {
    std::mt19937_64 random(9);
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(), bits_float(0xFFFFFFFFu)};
    for (int64_t n : {1, 7, 16, 30, 60, 100, 200, 500, 2000, 3000, 9000}) {
        for (float value : bad) {
            Layers layers;
            for (int i = 0; i < 4; ++i) {
                TestLayer layer(weight_layer(3, n, (n + 1) / 2), random());
                if (i >= 2) {
                    layer.logits[static_cast<int64_t>(random() % static_cast<uint64_t>(3 * n))] = value;
                }
                layers.push_back(std::make_unique<DeviceLayer>(layer));
            }
            std::vector<kofn_layer> table = views(layers);
            kofn_draw draw = draw_of(random);
            CHECK(kofn_cuda_sample(context, table.data(), 4, &draw, nullptr) == 0);
            CHECK(kofn_cuda_status(context, 1, nullptr) == 3);
            CHECK(kofn_cuda_status(context, 1, nullptr) == 0);
            for (auto& layer : layers) {
                layer->fetch();  // nothing outside
            }
        }
    }
}

#if defined(KOFN_EMULATED)
/** Errors of CUDA come back with their words. */
void errors_of_cuda() {
    emulation::next_error() = cudaErrorMemoryAllocation;
    CHECK(kofn_cuda_open() == nullptr);
    CHECK(std::string(kofn_cuda_error()) == "finding the device: out of memory");
    DeviceLayer layer(weight_layer(2, 8, 3), 1);
    kofn_layer view = layer.view();
    kofn_draw draw{};
    draw.temperature = 1;
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(kofn_cuda_sample(context, &view, 1, &draw, nullptr) == std::numeric_limits<int32_t>::min());
    CHECK(std::string(kofn_cuda_error()) == "launching a kernel: unspecified launch failure");
    CHECK(kofn_cuda_sample(context, &view, 1, &draw, nullptr) == 0);
}
#endif

/** Ten million groups, nearly all small. */
void very_many_groups() {
    std::mt19937_64 random(10);
    const int64_t wanted = sampled_groups + 10'000'000;
    while (sampled_groups < wanted) {
        Layers layers;
        for (int i = 0; i < 3; ++i) {
            uint64_t kind = random() % 16;
            int64_t n = 1 + static_cast<int64_t>(random() % (kind == 0 ? 600 : kind < 4 ? 64 : kind < 8 ? 16 : 8));
            LayerSpec spec = random_layer_of(random, n, 200'000 / (n * n + 20));
            spec.rows = spec.columns = 1;
            spec.share = 1;
            spec.granularity = n % 2 == 0 ? Granularity::weight : Granularity::n_of_m;
            spec.m = n;
            spec.inputs = n;
            spec.outputs = 1 + 200'000 / (n * n + 20);
            layers.push_back(std::make_unique<DeviceLayer>(spec, random()));
        }
        check_sample(layers, draw_of(random));
    }
}

}  // namespace

int main() {
    context = kofn_cuda_open();
    if (context == nullptr) {
        std::fprintf(stderr, "%s\n", kofn_cuda_error());
        return 1;
    }
    random_layers(extended() ? 2000 : 150);
    limits();
    large_groups();
    wide_layers();
    many_layers();
    existing_masks();
    absent_tensors();
    refusals();
    not_finite();
#if defined(KOFN_EMULATED)
    errors_of_cuda();
#endif
    if (extended()) {
        very_many_groups();
    }
    kofn_cuda_close(context);
    std::printf("%ld groups; largest errors: dL/dphi %.2g, dL/dtau %.2g\n",
                static_cast<long>(sampled_groups), worst_gradient, worst_temperature);
    return checks_summary("gumbel_topk_cuda_test");
}
