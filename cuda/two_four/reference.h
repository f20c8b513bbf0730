#pragma once

#include <cmath>

#include "fixture.h"

/** Layers drawn at random, and what they are by definition, in double precision. */
namespace kofn::two_four {

/** One case: a layer, and how its tensors lie. */
struct Case {
    Spec spec;
    int32_t precision;
    int32_t input_offset, output_offset; /* elements by which tensors are off a multiple of 256 bytes */
    enum { none, apart, in_place } residual;
    bool whole;
    uint64_t seed;
};

/** A case that is cheap enough to emulate. */
inline Case random_case(Random& random) {
    const int32_t pixels[] = {2, 3, 4, 5, 7, 8, 9, 12, 16, 25, 28, 32, 36, 49, 56, 64, 81, 100, 128, 196, 200};
    while (true) {
        Case c{};
        Spec& s = c.spec;
        s.inputs = 4 * (random() % 4 == 0 ? pick(random, 1, 100) : pick(random, 1, 34));
        s.outputs = random() % 4 == 0 ? pick(random, 1, 300) : pick(random, 1, 130);
        s.pixels = random() % 3 == 0 ? 1 : pick(random, pixels);
        s.batch = random() % 3 == 0 || s.pixels == 1 ? pick(random, 1, s.pixels == 1 ? 150 : 33) : pick(random, 1, 3);
        s.activation = pick(random, 0, 2);
        s.bias = random() % 2 == 0;
        if (1.0 * s.inputs * s.outputs * s.batch * s.pixels > 2e6) {
            continue;
        }
        c.precision = random() % 2 == 0 ? KOFN_BF16 : KOFN_TF32;
        c.input_offset = random() % 3 == 0 ? pick(random, 1, 8) : 0;
        c.output_offset = random() % 3 == 0 ? pick(random, 1, 8) : 0;
        c.residual = random() % 2 == 0 ? Case::none : random() % 2 == 0 ? Case::apart : Case::in_place;
        c.whole = random() % 3 == 0;
        c.seed = random();
        return c;
    }
}

/** What must come out, and how far it may be off. */
struct Expected {
    std::vector<double> values, bounds;
};

/** The definition of two_four.h from the dense weights and the mask. residual: as the output, or empty. */
inline Expected expected(const Layer& layer, const std::vector<float>& x, const std::vector<float>& residual,
                         int32_t precision) {
    const Spec& s = layer.spec;
    const double epsilon = precision == KOFN_BF16 ? 0x1p-8 : 0x1p-11;
    const size_t pixels = static_cast<size_t>(s.pixels), inputs = static_cast<size_t>(s.inputs);
    Expected all;
    std::vector<double> sums(pixels), magnitudes(pixels);
    for (size_t image = 0; image < static_cast<size_t>(s.batch); ++image) {
        for (size_t o = 0; o < static_cast<size_t>(s.outputs); ++o) {
            const double bias = s.bias ? layer.bias[o] : 0;
            for (size_t p = 0; p < pixels; ++p) {
                const double added = residual.empty() ? 0 : residual[all.values.size() + p];
                sums[p] = bias + added;
                magnitudes[p] = std::abs(bias) + std::abs(added);
            }
            for (size_t c = 0; c < inputs; ++c) {
                const double weight = layer.mask[o * inputs + c] != 0 ? layer.dense[o * inputs + c] : 0;
                const float* plane = x.data() + (image * inputs + c) * pixels;
                for (size_t p = 0; p < pixels && weight != 0; ++p) {
                    sums[p] += weight * plane[p];
                    magnitudes[p] += std::abs(weight * plane[p]);
                }
            }
            for (size_t p = 0; p < pixels; ++p) {
                double sum = s.activation != KOFN_IDENTITY ? std::max(sums[p], 0.0) : sums[p];
                sum = s.activation == KOFN_RELU6 ? std::min(sum, 6.0) : sum;
                all.values.push_back(sum);
                all.bounds.push_back(4 * epsilon * std::sqrt(inputs / 2.0) * magnitudes[p]);
            }
        }
    }
    return all;
}

}  // namespace kofn::two_four
