#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "arithmetic.h"
#include "philox.h"

/** What benches for GPUs share: random memory, times by CUDA events, an L2 cache to flush, the bandwidth of a copy. */
namespace kofn::bench {

inline void require(cudaError_t error) {
    if (error != cudaSuccess) {
        std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
        std::exit(1);
    }
}

/** Random values of about unit variance, never zeros: the power that a GPU draws depends on the bits that change. */
static __global__ void fill(void* values, int64_t count, bool bf16, uint64_t seed) {
    for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < count;
         i += gridDim.x * static_cast<int64_t>(blockDim.x)) {
        PhiloxWords words = philox(seed, static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0);
        const float value = (static_cast<float>(words.x) + static_cast<float>(words.y) - static_cast<float>(words.z)
                             - static_cast<float>(words.w)) * 0x1.bb67aep-33f;
        if (bf16) {
            static_cast<uint16_t*>(values)[i] = to_bfloat16(value);
        } else {
            static_cast<float*>(values)[i] = value;
        }
    }
}

/** Keeps the stream busy, so that what is measured is in the queue before it begins. */
static __global__ void hold(long long clocks) {
    const long long start = clock64();
    while (clock64() - start < clocks) {
    }
}

/** Random numbers on the device, fp32 or bf16. */
class Memory {
public:
    Memory(int64_t count, bool bf16) {
        require(cudaMalloc(&data, static_cast<size_t>(count) * (bf16 ? 2 : 4)));
        fill<<<1024, 256>>>(data, count, bf16, 1);
        require(cudaGetLastError());
    }
    ~Memory() { cudaFree(data); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    void* data = nullptr;
};

/** Times single calls. */
class Stopwatch {
public:
    Stopwatch() {
        require(cudaEventCreate(&start_));
        require(cudaEventCreate(&stop_));
    }
    ~Stopwatch() {
        cudaEventDestroy(start_);
        cudaEventDestroy(stop_);
    }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

    /** Microseconds of a call; `before` goes into the stream ahead of it and is not measured. */
    double time(const std::function<void()>& before, const std::function<void()>& call) {
        before();
        hold<<<1, 1>>>(200'000);
        require(cudaEventRecord(start_));
        call();
        require(cudaEventRecord(stop_));
        require(cudaDeviceSynchronize());
        float milliseconds = 0;
        require(cudaEventElapsedTime(&milliseconds, start_, stop_));
        return milliseconds * 1e3;
    }

private:
    cudaEvent_t start_ = nullptr, stop_ = nullptr;
};

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/** Median microseconds of a call, after three that warm up. */
inline double measure(int repeats, const std::function<void()>& before, const std::function<void()>& call) {
    Stopwatch stopwatch;
    std::vector<double> times;
    for (int i = -3; i < repeats; ++i) {
        const double us = stopwatch.time(before, call);
        if (i >= 0) {
            times.push_back(us);
        }
    }
    return median(times);
}

/** Bytes a second, read and written, of copying memory that no cache holds. */
inline double copy_bandwidth() {
    const int64_t bytes = int64_t{1} << 30;
    Memory from(bytes / 4, false), to(bytes / 4, false);
    const double us = measure(20, [] {}, [&] {
        require(cudaMemcpyAsync(to.data, from.data, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice));
    });
    return 2.0 * static_cast<double>(bytes) / (us * 1e-6);
}

/** Writes memory several times as large as the L2 cache. */
class Flush {
public:
    Flush() : bytes_(4 * static_cast<int64_t>(std::max(l2_bytes(), 16 << 20))), memory_(bytes_ / 4, false) {}

    void operator()() const { require(cudaMemsetAsync(memory_.data, 0, static_cast<size_t>(bytes_))); }

private:
    static int l2_bytes() {
        int device = 0, bytes = 0;
        require(cudaGetDevice(&device));
        require(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device));
        return bytes;
    }

    int64_t bytes_;
    Memory memory_;
};

/**
 * Microseconds of each call, again and again after three rounds that warm up. They are timed in turn, so that clock rates
 * meet all alike. With a warm cache each finds what its own last run left there, not what another did.
 */
inline std::vector<std::vector<double>> measure_in_turn(int repeats, bool warm, const Flush& flush,
                                                        const std::vector<std::function<void()>>& calls) {
    Stopwatch stopwatch;
    std::vector<std::vector<double>> times(calls.size());
    for (int i = -3; i < repeats; ++i) {
        for (size_t c = 0; c < calls.size(); ++c) {
            const double us = warm ? stopwatch.time(calls[c], calls[c]) : stopwatch.time(std::cref(flush), calls[c]);
            if (i >= 0) {
                times[c].push_back(us);
            }
        }
    }
    return times;
}

/** What a user may ask of a bench: "repeats=50 batch=32 case=vgg16", the last one a part of the names. */
struct Options {
    int repeats = 50, batch = 32;
    std::string only;

    Options(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string argument = argv[i];
            if (argument.rfind("repeats=", 0) == 0) {
                repeats = std::max(1, std::atoi(argument.c_str() + 8));
            } else if (argument.rfind("batch=", 0) == 0) {
                batch = std::max(1, std::atoi(argument.c_str() + 6));
            } else if (argument.rfind("case=", 0) == 0) {
                only = argument.substr(5);
            } else {
                std::fprintf(stderr, "unknown option %s\n", argv[i]);
                std::exit(2);
            }
        }
    }

    bool wants(const std::string& name) const { return name.find(only) != std::string::npos; }
};

/** The first line of a bench: the device, and the bandwidth that it reaches. Returns that. */
inline double print_device() {
    cudaDeviceProp device;
    require(cudaGetDeviceProperties(&device, 0));
    const double bandwidth = copy_bandwidth();
    std::printf("{\"device\": \"%s\", \"multiprocessors\": %d, \"l2_bytes\": %d, \"copy_gb_per_s\": %.1f}\n", device.name,
                device.multiProcessorCount, device.l2CacheSize, bandwidth * 1e-9);
    return bandwidth;
}

}  // namespace kofn::bench
