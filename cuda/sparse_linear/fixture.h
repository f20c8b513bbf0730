#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "../common/arithmetic.h"
#include "../common/random.h"
#include "sparse_linear.h"

/** Linear layers for tests and benchmarks, and what they are by definition, in double precision. */
namespace kofn::linear {

/** What a test asks for; the rest of a kofn_linear follows from a seed. */
struct Spec {
    int32_t inputs = 1, outputs = 1, share = 1, kept = 1, activation = KOFN_IDENTITY;
    bool bias = false;
};

inline std::vector<float> random_values(Random& random, size_t count, bool whole) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(),
                  [&] { return whole ? static_cast<float>(random() % 9) - 4.0f : normal(random); });
    return values;
}

/** A layer with memory of its own. `whole`: small whole numbers, whose sums are exact in any order and precision. */
struct Layer {
    Spec spec;
    std::vector<int32_t> indices;
    std::vector<float> weights, bias;

    Layer(const Spec& of, uint64_t seed, bool whole) : spec(of) {
        Random random(seed);
        std::vector<int32_t> candidates(static_cast<size_t>(of.inputs));
        std::iota(candidates.begin(), candidates.end(), 0);
        for (int32_t list = 0; list < of.outputs / of.share; ++list) {
            std::sample(candidates.begin(), candidates.end(), std::back_inserter(indices), of.kept, random);
        }
        weights = random_values(random, static_cast<size_t>(of.outputs) * of.kept, whole);
        if (of.bias) {
            bias = random_values(random, static_cast<size_t>(of.outputs), whole);
        }
    }

    /** The layer as the calls take it. */
    kofn_linear view() const {
        return {spec.inputs,    spec.outputs,   spec.share,     spec.kept,
                spec.activation, indices.data(), weights.data(), spec.bias ? bias.data() : nullptr};
    }
};

/** The nearest bf16, ties to even. */
inline float to_bf16(float value) {
    return from_bfloat16(to_bfloat16(value));
}

/** What must come out, and how far it may be off. */
struct Expected {
    std::vector<double> values, bounds;
};

/**
 * The definition of sparse_linear.h, of weights as they are stored. x [batch, inputs], residual as the output or empty.
 */
inline Expected expected(const Layer& layer, const std::vector<float>& x, const std::vector<float>& residual,
                         int32_t batch, int32_t precision) {
    const Spec& s = layer.spec;
    const double epsilon = std::numeric_limits<float>::epsilon();
    Expected all;
    for (int64_t image = 0; image < batch; ++image) {
        for (int32_t o = 0; o < s.outputs; ++o) {
            const double bias = s.bias ? layer.bias[static_cast<size_t>(o)] : 0;
            const double added = residual.empty() ? 0 : residual[all.values.size()];
            double sum = bias + added, magnitude = std::abs(bias) + std::abs(added);
            for (int32_t i = 0; i < s.kept; ++i) {
                const size_t entry = static_cast<size_t>(o / s.share) * s.kept + i;
                const float weight = layer.weights[entry * s.share + o % s.share];
                const double product = static_cast<double>(precision == KOFN_BF16 ? to_bf16(weight) : weight)
                    * x[static_cast<size_t>(image * s.inputs + layer.indices[entry])];
                sum += product;
                magnitude += std::abs(product);
            }
            sum = s.activation != KOFN_IDENTITY ? std::max(sum, 0.0) : sum;
            sum = s.activation == KOFN_RELU6 ? std::min(sum, 6.0) : sum;
            all.values.push_back(sum);
            all.bounds.push_back(4 * epsilon * std::sqrt(s.kept + 2.0) * magnitude);
        }
    }
    return all;
}

/** One case: a layer, a batch, and how it is called. */
struct Case {
    Spec spec;
    int32_t batch, precision;
    enum { none, apart, in_place } residual;
    bool whole;
    uint64_t seed;
};

/** A case that is cheap enough to compute in double precision. */
inline Case random_case(Random& random) {
    const int32_t shares[] = {1, 1, 1, 2, 4, 7, 8, 16, 32, 48, 64, 128};
    while (true) {
        Case c{};
        Spec& s = c.spec;
        s.inputs = random() % 64 == 0 ? pick(random, 65530, 65545)
                                      : random() % 4 == 0 ? pick(random, 300, 3000) : pick(random, 1, 200);
        s.share = pick(random, shares);
        s.outputs = s.share * pick(random, 1, std::max(1, 70 / s.share));
        s.kept = random() % 4 == 0 ? (random() % 2 == 0 ? 1 : s.inputs) : pick(random, 1, s.inputs);
        if (random() % 2 == 0) {
            s.kept = std::max(1, s.kept / 16);
        }
        s.activation = pick(random, 0, 2);
        s.bias = random() % 2 == 0;
        c.batch = random() % 2 == 0 ? pick(random, 1, 70) : pick(random, 1, 5);
        if (1.0 * c.batch * s.outputs * s.kept > 5e5 || 1.0 * c.batch * s.inputs > 5e5
            || 1.0 * s.outputs / s.share * s.inputs > 5e5) {
            continue;
        }
        c.precision = random() % 3 == 0 ? KOFN_BF16 : KOFN_FP32;
        c.residual = random() % 2 == 0 ? Case::none : random() % 2 == 0 ? Case::apart : Case::in_place;
        c.whole = random() % 3 == 0;
        c.seed = random();
        return c;
    }
}

}  // namespace kofn::linear
