#pragma once

#include <cmath>
#include <cstdio>
#include <functional>
#include <string>

#include "../common/arithmetic.h"
#include "../common/check.h"
#include "cuda_plan.cuh"
#include "reference.h"

/**
 * What the tests of the methods share: a plan's run against the definition in double precision, by emulation, or on a
 * GPU when the CUDA compiler builds the test.
 */
namespace kofn::conv {

/** A copy on the device, between guards that show whether something wrote outside. */
class OnDevice {
public:
    explicit OnDevice(const std::vector<uint8_t>& bytes, size_t offset = 0)
        : before_(GUARD + offset), size_(bytes.size()), all_(before_ + size_ + GUARD, 0xA5) {
        std::copy(bytes.begin(), bytes.end(), all_.begin() + static_cast<std::ptrdiff_t>(before_));
        CHECK(cudaMalloc(&memory_, all_.size()) == cudaSuccess);
        CHECK(cudaMemcpy(memory_, all_.data(), all_.size(), cudaMemcpyHostToDevice) == cudaSuccess);
    }
    ~OnDevice() { cudaFree(memory_); }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

    uint8_t* data() { return memory_ + before_; }
    std::vector<uint8_t> fetch() {
        CHECK(cudaMemcpy(all_.data(), memory_, all_.size(), cudaMemcpyDeviceToHost) == cudaSuccess);
        const auto first = all_.begin() + static_cast<std::ptrdiff_t>(before_);
        const auto last = first + static_cast<std::ptrdiff_t>(size_);
        const auto untouched = [](uint8_t byte) { return byte == 0xA5; };
        CHECK(std::all_of(all_.begin(), first, untouched) && std::all_of(last, all_.end(), untouched));
        return {first, last};
    }

private:
    static constexpr size_t GUARD = 256;
    size_t before_, size_;
    std::vector<uint8_t> all_;
    uint8_t* memory_ = nullptr;
};

inline float rounded(float value, int32_t precision) {
    return precision == KOFN_BF16 ? from_bfloat16(to_bfloat16(value)) : value;
}

inline std::vector<float> rounded(std::vector<float> values, int32_t precision) {
    for (float& value : values) {
        value = rounded(value, precision);
    }
    return values;
}

/** As tensors are stored. */
inline std::vector<uint8_t> stored(const std::vector<float>& values, int32_t precision) {
    const size_t element = precision == KOFN_BF16 ? 2 : 4;
    std::vector<uint8_t> bytes(values.size() * element);
    for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t half = to_bfloat16(values[i]);
        std::memcpy(&bytes[i * element], element == 2 ? static_cast<const void*>(&half) : &values[i], element);
    }
    return bytes;
}

inline std::vector<float> loaded(const std::vector<uint8_t>& bytes, int32_t precision) {
    const size_t element = precision == KOFN_BF16 ? 2 : 4;
    std::vector<float> values(bytes.size() / element);
    for (size_t i = 0; i < values.size(); ++i) {
        uint16_t half = 0;
        std::memcpy(element == 2 ? static_cast<void*>(&half) : &values[i], &bytes[i * element], element);
        values[i] = element == 2 ? from_bfloat16(half) : values[i];
    }
    return values;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/** A case on the device. Channels that no list keeps are poison. */
class MethodCase {
public:
    MethodCase(const Case& of, int32_t precision)
        : case_(of),
          precision_(precision),
          random_(of.seed),
          given_(of.spec, of.seed, of.whole),
          convolution_(given_) {
        const Spec& s = of.spec;
        convolution_.weights = rounded(given_.weights, precision);
        x_ = rounded(random_values(random_, static_cast<size_t>(of.batch) * s.inputs * s.height * s.width, of.whole),
                     precision);
        count_ = static_cast<size_t>(of.batch) * s.outputs * s.out_height() * s.out_width();
        residual_ = rounded(random_values(random_, of.residual == Case::none ? 0 : count_, of.whole), precision);
    }

    kofn_conv conv() const { return given_.view(); }

    /** What a call with input, output and residual makes of it; the input begins so many elements into memory. */
    template <class Call>
    std::vector<float> run(const Call& call, size_t offset) const {
        const size_t element = precision_ == KOFN_BF16 ? 2 : 4;
        const std::vector<uint8_t> input = stored(poisoned(), precision_);
        const std::vector<float> nothing(count_, std::numeric_limits<float>::quiet_NaN());
        OnDevice x(input, offset * element), other(stored(residual_, precision_));
        OnDevice y(stored(case_.residual == Case::in_place ? residual_ : nothing, precision_));
        const void* added = case_.residual == Case::none ? nullptr
            : case_.residual == Case::apart              ? other.data()
                                                         : y.data();
        call(x.data(), y.data(), added);
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        CHECK(x.fetch() == input && other.fetch() == stored(residual_, precision_));
        return loaded(y.fetch(), precision_);
    }

    /** Exact on whole numbers; else within the bound, and what products lose by factors rounded on their way. */
    bool close(const std::vector<float>& y, double rounding_of_products) const {
        const Spec& s = case_.spec;
        const Expected want = expected(convolution_, x_, residual_, case_.batch);
        const double terms = static_cast<double>(s.kept) * s.rows * s.columns + 2;
        const double scale = rounding_of_products / (4 * std::numeric_limits<float>::epsilon() * std::sqrt(terms));
        bool all = y.size() == want.values.size();
        for (size_t i = 0; i < y.size() && all; ++i) {
            all = case_.whole ? y[i] == rounded(static_cast<float>(want.values[i]), precision_)
                              : std::abs(y[i] - want.values[i]) <= want.bounds[i] * (1 + scale)
                                    + std::abs(want.values[i]) * (precision_ == KOFN_BF16 ? 0x1p-8 : 0);
        }
        return all;
    }

    void print(const std::string& plan) const {
        const Spec& s = case_.spec;
        std::fprintf(stderr, "%s: n %d k %d b %d O %d, %dx%d, kernel %dx%d stride %d,%d padding %d,%d, batch %d, seed "
                     "%llu\n", plan.c_str(), s.inputs, s.kept, s.share, s.outputs, s.height, s.width, s.rows, s.columns,
                     s.stride_rows, s.stride_columns, s.padding_rows, s.padding_columns, case_.batch,
                     static_cast<unsigned long long>(case_.seed));
    }

private:
    std::vector<float> poisoned() const {
        std::vector<bool> kept(static_cast<size_t>(case_.spec.inputs));
        for (const int32_t index : convolution_.indices) {
            kept[static_cast<size_t>(index)] = true;
        }
        std::vector<float> values = x_;
        const size_t plane = static_cast<size_t>(case_.spec.height) * case_.spec.width;
        for (size_t i = 0; i < values.size(); ++i) {
            values[i] = kept[i / plane % kept.size()] ? x_[i] : std::numeric_limits<float>::quiet_NaN();
        }
        return values;
    }

    Case case_;
    int32_t precision_;
    Random random_;
    Convolution given_, convolution_; /* what the plan is made of; with weights as they are stored */
    std::vector<float> x_, residual_;
    size_t count_;
};

using MakePlan = std::function<std::unique_ptr<kofn_cuda_conv_plan>(const kofn_conv&, const DeviceLimits&)>;

/** One case on two devices, for which tiles are chosen anew: right, and the same bits. The first plan's description. */
inline std::string test_method(const Case& c, int32_t precision, double rounding_of_products, const MakePlan& make,
                               const DeviceLimits& one, const DeviceLimits& other) {
    const MethodCase on_device(c, precision);
    const auto run = [&](const kofn_cuda_conv_plan& plan, size_t offset) {
        return on_device.run(
            [&](const void* x, void* y, const void* residual) {
                CHECK(plan.run(x, y, residual, nullptr, nullptr) == cudaSuccess);
            },
            offset);
    };
    const auto plan = make(on_device.conv(), one);
    const std::vector<float> y = run(*plan, 0);
    const bool close = on_device.close(y, rounding_of_products);
    CHECK(close);
    const auto another = make(on_device.conv(), other);
    const std::vector<float> again = run(*another, 1);
    const bool same = same_bits(y, again);
    CHECK(same);
    if (!close || !same) {
        on_device.print(plan->description + " and " + another->description);
    }
    return plan->description;
}

}  // namespace kofn::conv
