#include <cuda_runtime.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "../common/philox.h"
#include "bench_cases.h"
#include "gumbel_topk.h"

/**
 * Times of the calls on a GPU, for all layers of a network at once and for single shapes.
 *
 *   gumbel_topk_bench [repeats=50] [case=resnet-18] [masked=1] [entropy=0.01]
 *
 * Prints one JSON object a line: for each case, forward and backward, with a warm L2 cache and with one that was
 * flushed, the median microseconds by CUDA events, the host's microseconds for the call, the bytes that must move
 * (gumbel_topk.h, "the floor"), and their share of the bandwidth of a device copy measured first.
 */
using namespace kofn;

namespace {

void require(cudaError_t error) {
    if (error != cudaSuccess) {
        std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
        std::exit(1);
    }
}

struct Options {
    int repeats = 50;
    bool masked = false;
    float entropy = 0;
    std::string only;
};

Options options_of(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const size_t equals = argument.find('=');
        const std::string name = argument.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
        if (name == "repeats") {
            options.repeats = std::max(1, std::atoi(value.c_str()));
        } else if (name == "masked") {
            options.masked = value == "1";
        } else if (name == "entropy") {
            options.entropy = static_cast<float>(std::atof(value.c_str()));
        } else if (name == "case") {
            options.only = value;
        } else {
            std::fprintf(stderr, "unknown option %s\n", argv[i]);
            std::exit(2);
        }
    }
    return options;
}

/** VGG16 whole: convolutions as given, the three linear layers by weight. */
Case vgg16_with_linear(const std::string& name, Granularity granularity, double share) {
    Case made = network(name, vgg16(), granularity, share);
    for (LayerSpec layer : network(name, {{4096, 25088, 1}, {4096, 4096, 1}, {1000, 4096, 1}}, Granularity::weight,
                                   share).layers) {
        layer.index = static_cast<uint32_t>(made.layers.size());
        made.layers.push_back(layer);
    }
    return made;
}

/** Random values of about unit variance, never zeros: the power that a GPU draws depends on the bits that change. */
__global__ void fill(float* values, int64_t count, uint64_t seed) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < count;
         i += gridDim.x * static_cast<int64_t>(blockDim.x)) {
        PhiloxWords words = philox(seed, static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0);
        values[i] = (static_cast<float>(words.x) + static_cast<float>(words.y) - static_cast<float>(words.z)
                     - static_cast<float>(words.w)) * 0x1.bb67aep-33f;
    }
}

/** Keeps the stream busy, so that what is measured is in the queue before it begins. */
__global__ void hold(long long clocks) {
    const long long start = clock64();
    while (clock64() - start < clocks) {
    }
}

/** Memory of the device that lives as long as a case. */
class Memory {
public:
    ~Memory() {
        for (void* pointer : pointers_) {
            cudaFree(pointer);
        }
    }

    template <class T>
    T* empty(int64_t count) {
        void* pointer = nullptr;
        require(cudaMalloc(&pointer, static_cast<size_t>(count) * sizeof(T)));
        pointers_.push_back(pointer);
        return static_cast<T*>(pointer);
    }

    float* random(int64_t count) {
        float* values = empty<float>(count);
        fill<<<1024, 256>>>(values, count, ++seed_);
        return values;
    }

private:
    std::vector<void*> pointers_;
    uint64_t seed_ = 0;
};

kofn_layer layer_of(const LayerSpec& spec, bool masked, Memory& memory) {
    kofn_layer layer{};
    layer.layout = layout_of(spec);
    layer.kept = spec.kept;
    layer.index = spec.index;
    layer.effective_type = spec.type;
    const int64_t groups = groups_of(layer.layout), n = layer.layout.candidates;
    layer.logits = memory.random(groups * n);
    layer.latent = memory.random(spec.weights());
    layer.effective = memory.empty<float>(spec.weights());
    layer.mask = memory.empty<uint8_t>(groups * n);
    layer.bits = memory.empty<uint32_t>(groups * ((n + 31) / 32));
    layer.indices = memory.empty<int32_t>(groups * spec.kept);
    layer.effective_gradient = memory.random(spec.weights());
    layer.latent_gradient = masked ? memory.empty<float>(spec.weights()) : nullptr;
    layer.logit_gradient = memory.empty<float>(groups * n);
    return layer;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Times {
    double device, host;  // microseconds
};

/** Runs a call often; `before` goes into the stream ahead of each run and is not measured. */
Times measure(int repeats, const std::function<void()>& before, const std::function<void()>& call) {
    std::vector<double> device, host;
    for (int i = -3; i < repeats; ++i) {
        cudaEvent_t start, stop;
        require(cudaEventCreate(&start));
        require(cudaEventCreate(&stop));
        before();
        hold<<<1, 1>>>(200'000);
        require(cudaEventRecord(start));
        auto begin = std::chrono::steady_clock::now();
        call();
        double called = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
        require(cudaEventRecord(stop));
        require(cudaDeviceSynchronize());
        float milliseconds = 0;
        require(cudaEventElapsedTime(&milliseconds, start, stop));
        require(cudaEventDestroy(start));
        require(cudaEventDestroy(stop));
        if (i >= 0) {
            device.push_back(milliseconds * 1e3);
            host.push_back(called);
        }
    }
    return {median(device), median(host)};
}

/** Bytes a second, read and written, of copying memory that no cache holds. */
double copy_bandwidth() {
    const int64_t bytes = int64_t{1} << 30;
    Memory memory;
    float* from = memory.random(bytes / 4);
    float* to = memory.random(bytes / 4);
    Times times = measure(20, [] {}, [&] { require(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice)); });
    return 2.0 * static_cast<double>(bytes) / (times.device * 1e-6);
}

void check(kofn_status status, const std::string& name) {
    if (status != 0) {
        std::fprintf(stderr, "%s: status %d %s\n", name.c_str(), static_cast<int>(status), kofn_cuda_error());
        std::exit(1);
    }
}

void print(const Case& measured, const char* pass, const char* cache, const Times& times, double bytes,
           double bandwidth, int repeats) {
    std::printf("{\"case\": \"%s\", \"pass\": \"%s\", \"l2\": \"%s\", \"us\": %.2f, \"host_us\": %.2f, \"bytes\": %.0f, "
                "\"gb_per_s\": %.1f, \"share_of_copy\": %.3f, \"n\": %d}\n",
                measured.name.c_str(), pass, cache, times.device, times.host, bytes, bytes / times.device * 1e-3,
                bytes / (times.device * 1e-6) / bandwidth, repeats);
    std::fflush(stdout);
}

void measure_case(kofn_cuda_context* context, const Case& measured, const Options& options, double bandwidth,
                  void* flushed, size_t flushed_bytes) {
    Memory memory;
    std::vector<kofn_layer> layers;
    double forward_bytes = 0, backward_bytes = 0;
    for (const LayerSpec& spec : measured.layers) {
        layers.push_back(layer_of(spec, options.masked, memory));
        forward_bytes += forward_floor(spec);
        backward_bytes += backward_floor(spec, options.masked);
    }
    const int32_t count = static_cast<int32_t>(layers.size());
    kofn_draw draw{1, 0, 1.0f, 1.0f, options.entropy, 0};
    auto forward = [&] {
        ++draw.step;
        check(kofn_cuda_sample(context, layers.data(), count, &draw, nullptr), measured.name);
    };
    auto backward = [&] {
        check(kofn_cuda_sample_backward(context, layers.data(), count, &draw, nullptr), measured.name);
    };
    auto flush = [&] { require(cudaMemsetAsync(flushed, 0, flushed_bytes)); };
    print(measured, "forward", "warm", measure(options.repeats, [] {}, forward), forward_bytes, bandwidth,
          options.repeats);
    print(measured, "forward", "flushed", measure(options.repeats, flush, forward), forward_bytes, bandwidth,
          options.repeats);
    print(measured, "backward", "warm", measure(options.repeats, [] {}, backward), backward_bytes, bandwidth,
          options.repeats);
    print(measured, "backward", "flushed", measure(options.repeats, flush, backward), backward_bytes, bandwidth,
          options.repeats);
    check(kofn_cuda_status(context, 1, nullptr), measured.name);
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = options_of(argc, argv);
    kofn_cuda_context* context = kofn_cuda_open();
    if (context == nullptr) {
        std::fprintf(stderr, "%s\n", kofn_cuda_error());
        return 1;
    }
    cudaDeviceProp device;
    require(cudaGetDeviceProperties(&device, 0));
    const double bandwidth = copy_bandwidth();
    std::printf("{\"device\": \"%s\", \"multiprocessors\": %d, \"l2_bytes\": %d, \"copy_gb_per_s\": %.1f}\n", device.name,
                device.multiProcessorCount, device.l2CacheSize, bandwidth * 1e-9);
    Memory memory;
    const size_t flushed_bytes = 4 * static_cast<size_t>(std::max(device.l2CacheSize, 16 << 20));
    void* flushed = memory.empty<char>(static_cast<int64_t>(flushed_bytes));

    std::vector<Case> all = cases();
    all.push_back(vgg16_with_linear("vgg16 kernel, linear by weight 10 %", Granularity::kernel, 0.1));
    all.push_back(vgg16_with_linear("vgg16 all by weight 10 %", Granularity::weight, 0.1));
    all.push_back(vgg16_with_linear("vgg16 all by weight 50 %", Granularity::weight, 0.5));
    for (const Case& measured : all) {
        if (measured.name.find(options.only) != std::string::npos) {
            measure_case(context, measured, options, bandwidth, flushed, flushed_bytes);
        }
    }
    kofn_cuda_close(context);
    return 0;
}
