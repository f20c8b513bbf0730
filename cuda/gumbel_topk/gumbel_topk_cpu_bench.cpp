#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench_cases.h"
#include "gumbel_topk.h"

/**
 * Times of the calls on the CPU, for all layers of a network at once and for single shapes.
 *
 *   gumbel_topk_cpu_bench [threads=2] [repeats=15] [variant=avx512] [case=resnet-18] [masked=1] [entropy=0.01]
 *
 * Prints for each case the median and the least milliseconds forward and backward; of the medians, candidates a
 * microsecond, bytes a second that must move (gumbel_topk.h, "the floor") and their share of the bandwidth of a copy
 * measured first. On a machine that does other work too, medians show that work.
 */
using namespace kofn;

namespace {

struct Options {
    int threads = 2;
    int repeats = 15;
    bool masked = false;
    float entropy = 0;
    std::string variant, only;
};

Options options_of(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const size_t equals = argument.find('=');
        const std::string name = argument.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
        if (name == "threads") {
            options.threads = std::atoi(value.c_str());
        } else if (name == "repeats") {
            options.repeats = std::max(1, std::atoi(value.c_str()));
        } else if (name == "masked") {
            options.masked = value == "1";
        } else if (name == "entropy") {
            options.entropy = static_cast<float>(std::atof(value.c_str()));
        } else if (name == "variant") {
            options.variant = value;
        } else if (name == "case") {
            options.only = value;
        } else {
            std::fprintf(stderr, "unknown option %s\n", argv[i]);
            std::exit(2);
        }
    }
    return options;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/** Bytes a second, read and written, of copying memory that no cache holds, with all threads. */
double copy_bandwidth([[maybe_unused]] int threads) {
    const int64_t bytes = int64_t{1} << 28, part = int64_t{1} << 20;
    std::vector<char> from(static_cast<size_t>(bytes), 1), to(static_cast<size_t>(bytes), 2);
    std::vector<double> times;
    for (int repeat = 0; repeat < 7; ++repeat) {
        auto start = std::chrono::steady_clock::now();
#if defined(_OPENMP)
#pragma omp parallel for schedule(static) num_threads(threads)
#endif
        for (int64_t at = 0; at < bytes; at += part) {
            std::memcpy(to.data() + at, from.data() + at, static_cast<size_t>(part));
        }
        times.push_back(milliseconds_since(start));
    }
    return 2.0 * static_cast<double>(bytes) / (median(times) * 1e-3);
}

void measure(const Case& measured, const Options& options, double bandwidth) {
    std::vector<std::unique_ptr<TestLayer>> layers;
    std::vector<kofn_layer> views;
    double candidates = 0, forward_bytes = 0, backward_bytes = 0;
    for (const LayerSpec& spec : measured.layers) {
        layers.push_back(std::make_unique<TestLayer>(spec, 1 + layers.size()));
        TestLayer& layer = *layers.back();
        views.push_back(layer.view());
        views.back().temperature_gradient = nullptr;
        if (!options.masked) {
            views.back().latent_gradient = nullptr;  // a dense gradient needs no copy in single precision
        }
        candidates += static_cast<double>(layer.groups * layer.candidates);
        forward_bytes += forward_floor(spec);
        backward_bytes += backward_floor(spec, options.masked);
    }
    const int32_t count = static_cast<int32_t>(views.size());
    kofn_draw draw{1, 0, 1.0f, 1.0f, options.entropy, 0};
    std::vector<double> forward, backward;
    for (int repeat = -1; repeat < options.repeats; ++repeat) {
        draw.step = static_cast<uint32_t>(repeat + 1);
        auto start = std::chrono::steady_clock::now();
        kofn_status status = kofn_cpu_sample(views.data(), count, &draw, options.threads);
        const double sampled = milliseconds_since(start);
        start = std::chrono::steady_clock::now();
        status |= kofn_cpu_sample_backward(views.data(), count, &draw, options.threads);
        if (status != 0) {
            std::fprintf(stderr, "%s: status %d\n", measured.name.c_str(), static_cast<int>(status));
            std::exit(1);
        }
        if (repeat >= 0) {  // the first touches memory for the first time
            forward.push_back(sampled);
            backward.push_back(milliseconds_since(start));
        }
    }
    const double f = median(forward), b = median(backward);
    std::printf("%-24s %9.3f %9.3f %9.3f %9.3f  %8.0f %8.0f  %6.1f %6.1f  %4.0f%% %4.0f%%  %d\n",
                measured.name.c_str(), f, b, *std::min_element(forward.begin(), forward.end()),
                *std::min_element(backward.begin(), backward.end()), candidates / f * 1e-3, candidates / b * 1e-3,
                forward_bytes / f * 1e-6, backward_bytes / b * 1e-6,
                100 * forward_bytes / (f * 1e-3) / bandwidth, 100 * backward_bytes / (b * 1e-3) / bandwidth,
                options.repeats);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = options_of(argc, argv);
    if (!options.variant.empty() && kofn_cpu_use_variant(options.variant.c_str()) == 0) {
        std::fprintf(stderr, "no variant %s here\n", options.variant.c_str());
        return 2;
    }
    const double bandwidth = copy_bandwidth(options.threads);
    std::printf("variant %s, %d threads, copy %.1f GB/s (read and written)\n", kofn_cpu_variant(), options.threads,
                bandwidth * 1e-9);
    std::printf("%-24s %9s %9s %9s %9s  %17s  %13s  %11s  %s\n", "case", "forward", "backward", "least f.", "least b.",
                "candidates/us", "GB/s", "of copy", "n");
    for (const Case& measured : cases()) {
        if (measured.name.find(options.only) != std::string::npos) {
            measure(measured, options, bandwidth);
        }
    }
    return 0;
}
