#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "../common/arithmetic.h"
#include "../common/random.h"
#include "two_four.h"

/** Layers for tests and benchmarks. */
namespace kofn::two_four {

/** What a test asks for; the rest of a kofn_two_four follows from a seed. */
struct Spec {
    int32_t inputs = 4, outputs = 1, batch = 1, pixels = 1, activation = KOFN_IDENTITY;
    bool bias = false;

    size_t input_size() const { return static_cast<size_t>(batch) * inputs * pixels; }
    size_t output_size() const { return static_cast<size_t>(batch) * outputs * pixels; }
};

/** Normal numbers, or small whole ones, whose sums are exact in any order. */
inline std::vector<float> random_values(Random& random, size_t count, bool whole) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(),
                  [&] { return whole ? static_cast<float>(random() % 9) - 4.0f : normal(random); });
    return values;
}

/** A layer with memory of its own: dense weights, a mask that keeps two of every four, and both packed. */
struct Layer {
    Spec spec;
    std::vector<float> dense, values, bias;
    std::vector<uint8_t> mask, places;

    Layer(const Spec& of, Random& random, bool whole) : spec(of) {
        const size_t weights = static_cast<size_t>(of.outputs) * of.inputs;
        dense = random_values(random, weights, whole);
        mask.resize(weights);
        for (size_t four = 0; four < weights; four += 4) {
            const size_t first = random() % 4, second = (first + 1 + random() % 3) % 4;
            mask[four + first] = mask[four + second] = 1;
        }
        values.resize(weights / 2);
        places.resize(static_cast<size_t>(of.outputs) * ((of.inputs + 7) / 8));
        kofn_two_four_pack(of.outputs, of.inputs, dense.data(), mask.data(), values.data(), places.data());
        if (of.bias) {
            bias = random_values(random, static_cast<size_t>(of.outputs), whole);
        }
    }

    /** The layer as the calls take it. */
    kofn_two_four view() const {
        return {spec.inputs, spec.outputs, spec.batch, spec.pixels, spec.activation, values.data(), places.data(),
                spec.bias ? bias.data() : nullptr};
    }
};

inline size_t size_of_element(int32_t precision) {
    return precision == KOFN_BF16 ? 2 : 4;
}

/** Numbers as tensors of a precision store them. */
inline std::vector<unsigned char> encoded(const std::vector<float>& values, int32_t precision) {
    std::vector<unsigned char> bytes(values.size() * size_of_element(precision));
    for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t half = to_bfloat16(values[i]);
        std::memcpy(bytes.data() + i * size_of_element(precision),
                    precision == KOFN_BF16 ? static_cast<const void*>(&half) : &values[i], size_of_element(precision));
    }
    return bytes;
}

inline std::vector<float> decoded(const std::vector<unsigned char>& bytes, int32_t precision) {
    std::vector<float> values(bytes.size() / size_of_element(precision));
    for (size_t i = 0; i < values.size(); ++i) {
        uint16_t half;
        std::memcpy(precision == KOFN_BF16 ? static_cast<void*>(&half) : &values[i],
                    bytes.data() + i * size_of_element(precision), size_of_element(precision));
        values[i] = precision == KOFN_BF16 ? from_bfloat16(half) : values[i];
    }
    return values;
}

}  // namespace kofn::two_four
