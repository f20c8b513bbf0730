#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "../common/arithmetic.h"
#include "sparse_conv.h"

/** Convolutions and padded tensors for tests and benchmarks. */
namespace kofn::conv {

/** What a test asks for; the rest of a kofn_conv follows from a seed. */
struct Spec {
    int32_t inputs = 1, outputs = 1, height = 1, width = 1;
    int32_t rows = 1, columns = 1, stride_rows = 1, stride_columns = 1, padding_rows = 0, padding_columns = 0;
    int32_t share = 1, kept = 1, activation = KOFN_IDENTITY;
    bool bias = false;

    int32_t out_height() const { return (height + 2 * padding_rows - rows) / stride_rows + 1; }
    int32_t out_width() const { return (width + 2 * padding_columns - columns) / stride_columns + 1; }
};

/** A convolution with memory of its own. */
struct Convolution {
    Spec spec;
    std::vector<int32_t> indices;
    std::vector<float> weights, bias;

    /** Lists, weights and bias from a seed; `whole`: small whole numbers, whose sums are exact in any order. */
    Convolution(const Spec& of, uint64_t seed, bool whole) : spec(of) {
        std::mt19937_64 random(seed);
        std::normal_distribution<float> normal;
        const auto value = [&] { return whole ? static_cast<float>(random() % 9) - 4.0f : normal(random); };
        std::vector<int32_t> candidates(static_cast<size_t>(of.inputs));
        std::iota(candidates.begin(), candidates.end(), 0);
        for (int32_t list = 0; list < of.outputs / of.share; ++list) {
            std::sample(candidates.begin(), candidates.end(), std::back_inserter(indices), of.kept, random);
        }
        weights.resize(static_cast<size_t>(of.outputs) * of.kept * of.rows * of.columns);
        std::generate(weights.begin(), weights.end(), value);
        if (of.bias) {
            bias.resize(static_cast<size_t>(of.outputs));
            std::generate(bias.begin(), bias.end(), value);
        }
    }

    /** The convolution as the calls take it. */
    kofn_conv view() const {
        kofn_conv c{};
        c.inputs = spec.inputs;
        c.outputs = spec.outputs;
        c.height = spec.height;
        c.width = spec.width;
        c.rows = spec.rows;
        c.columns = spec.columns;
        c.stride_rows = spec.stride_rows;
        c.stride_columns = spec.stride_columns;
        c.padding_rows = spec.padding_rows;
        c.padding_columns = spec.padding_columns;
        c.share = spec.share;
        c.kept = spec.kept;
        c.activation = spec.activation;
        c.indices = indices.data();
        c.weights = weights.data();
        c.bias = spec.bias ? bias.data() : nullptr;
        return c;
    }
};

/** Memory that begins at a multiple of 64 bytes, between two guards that show whether something wrote outside. */
class Memory {
public:
    explicit Memory(int64_t floats)
        : size_(floats), storage_(allocate(floats)) {
        std::memset(storage_.get(), pattern, bytes(floats));
    }

    float* data() { return storage_.get() + guard; }
    const float* data() const { return storage_.get() + guard; }
    int64_t size() const { return size_; }

    bool intact() const {
        const auto first = reinterpret_cast<const unsigned char*>(storage_.get());
        const auto last = reinterpret_cast<const unsigned char*>(storage_.get() + guard + size_);
        const auto untouched = [](unsigned char b) { return b == pattern; };
        return std::all_of(first, first + guard * sizeof(float), untouched)
            && std::all_of(last, last + guard * sizeof(float), untouched);
    }

private:
    static constexpr int64_t guard = 16;
    static constexpr unsigned char pattern = 0xA5;

    struct Free {
        void operator()(float* memory) const { std::free(memory); }
    };

    static size_t bytes(int64_t floats) { return static_cast<size_t>(floats + 2 * guard) * sizeof(float); }

    static float* allocate(int64_t floats) {
        return static_cast<float*>(std::aligned_alloc(64, (bytes(floats) + 63) / 64 * 64));
    }

    int64_t size_;
    std::unique_ptr<float[], Free> storage_;
};

/** The nearest bf16, as a float. */
inline float rounded_to_bf16(float value) {
    return from_bfloat16(to_bfloat16(value));
}

inline std::vector<float> rounded_to_bf16(std::vector<float> values) {
    std::transform(values.begin(), values.end(), values.begin(), [](float value) { return rounded_to_bf16(value); });
    return values;
}

/** A padded tensor in memory of its own. */
struct Tensor {
    kofn_tensor layout;
    kofn_strides strides;
    Memory memory;

    explicit Tensor(const kofn_tensor& of) : layout(of), strides(strides_of(of)), memory(floats_of(of, strides)) {
        kofn_cpu_tensor_clear(&layout, memory.data(), 1);
    }

    float* data() { return memory.data(); }
    const float* data() const { return memory.data(); }

    /** Where a place lies that strides count to. */
    void* at(int64_t element) {
        return reinterpret_cast<char*>(data()) + element * (layout.precision == KOFN_BF16 ? 2 : 4);
    }

    void set(const std::vector<float>& plain) { kofn_cpu_tensor_import(&layout, plain.data(), data(), 1); }

    std::vector<float> plain() const {
        std::vector<float> values(static_cast<size_t>(layout.batch) * layout.channels * layout.height * layout.width);
        kofn_cpu_tensor_export(&layout, data(), values.data(), 1);
        return values;
    }

private:
    static int64_t floats_of(const kofn_tensor& of, const kofn_strides& strides) {
        return of.precision == KOFN_BF16 ? (strides.elements + 1) / 2 : strides.elements;
    }

    static kofn_strides strides_of(const kofn_tensor& of) {
        kofn_strides strides{};
        kofn_tensor_strides(&of, &strides);
        return strides;
    }
};

/** The layouts of a convolution's input and output. */
inline kofn_tensor input_of(const Spec& s, int32_t form, int32_t batch, int32_t halo) {
    return {form, batch, s.inputs, s.height, s.width, halo, KOFN_FP32};
}

inline kofn_tensor output_of(const Spec& s, int32_t form, int32_t batch, int32_t halo) {
    return {form, batch, s.outputs, s.out_height(), s.out_width(), halo, KOFN_FP32};
}

}  // namespace kofn::conv
