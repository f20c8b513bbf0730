#pragma once

#include <cmath>
#include <limits>

#include "../common/random.h"
#include "fixture.h"

/** Convolutions drawn at random, and what they are by definition, in double precision. */
namespace kofn::conv {

/** One case: what is convolved, and how its tensors lie. */
struct Case {
    Spec spec;
    int32_t batch, form, in_halo, out_halo;
    int32_t channels_before, channels_behind; /* of a wider input, of which the convolution reads a part */
    enum { none, apart, in_place } residual;
    bool whole;
    uint64_t seed;
};

inline double multiplications(const Spec& s, int32_t batch) {
    return 1.0 * batch * s.outputs * s.kept * s.rows * s.columns * s.out_height() * s.out_width();
}

/** A case that is cheap enough to compute in double precision. */
inline Case random_case(Random& random) {
    const int32_t taps[] = {1, 1, 2, 3, 3, 3, 5, 7}, shares[] = {1, 1, 2, 4, 12, 16, 32};
    const int32_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 28, 31, 32, 33, 49, 56};
    while (true) {
        Case c{};
        Spec& s = c.spec;
        s.rows = pick(random, taps);
        s.columns = random() % 4 == 0 ? pick(random, taps) : s.rows;
        s.stride_rows = random() % 3 == 0 ? 2 : 1;
        s.stride_columns = random() % 8 == 0 ? pick(random, 1, 4) : s.stride_rows;
        s.padding_rows = random() % 3 == 0 ? pick(random, 0, 3) : std::min(s.rows / 2, 3);
        s.padding_columns = random() % 3 == 0 ? pick(random, 0, 3) : std::min(s.columns / 2, 3);
        s.height = pick(random, sizes);
        s.width = random() % 2 == 0 ? s.height : pick(random, sizes);
        if (s.out_height() < 1 || s.out_width() < 1 || s.height + 2 * s.padding_rows < s.rows
            || s.width + 2 * s.padding_columns < s.columns) {
            continue;
        }
        s.inputs = pick(random, 1, 40);
        s.share = pick(random, shares);
        s.outputs = s.share * pick(random, 1, s.share > 4 ? 2 : 12);
        s.kept = random() % 4 == 0 ? (random() % 2 == 0 ? 1 : s.inputs) : pick(random, 1, s.inputs);
        s.activation = pick(random, 0, 2);
        s.bias = random() % 2 == 0;
        c.batch = random() % 3 == 0 ? pick(random, 1, 33) : pick(random, 1, 3);
        if (multiplications(s, c.batch) > 1.5e6) {
            continue;
        }
        c.form = random() % 2 == 0 ? KOFN_PLANES : KOFN_BATCH16;
        c.in_halo = pick(random, std::max(s.padding_rows, s.padding_columns), 3);
        c.out_halo = random() % 2 == 0 ? c.in_halo : pick(random, 0, 3);
        c.channels_before = random() % 8 == 0 ? pick(random, 1, 5) : 0;
        c.channels_behind = random() % 8 == 0 ? pick(random, 1, 5) : 0;
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

/** The definition of sparse_conv.h. x: [batch, inputs, height, width], residual as the output, or empty. */
inline Expected expected(const Convolution& convolution, const std::vector<float>& x,
                         const std::vector<float>& residual, int32_t batch) {
    const Spec& s = convolution.spec;
    const double epsilon = std::numeric_limits<float>::epsilon();
    const double terms = static_cast<double>(s.kept) * s.rows * s.columns + 2;
    Expected all;
    for (int64_t image = 0; image < batch; ++image) {
        for (int32_t o = 0; o < s.outputs; ++o) {
            for (int32_t h = 0; h < s.out_height(); ++h) {
                for (int32_t w = 0; w < s.out_width(); ++w) {
                    const double bias = s.bias ? convolution.bias[static_cast<size_t>(o)] : 0;
                    const double added = residual.empty() ? 0 : residual[all.values.size()];
                    double sum = bias + added;
                    double magnitude = std::abs(bias) + std::abs(added);
                    for (int32_t i = 0; i < s.kept; ++i) {
                        const size_t entry = static_cast<size_t>(o / s.share) * s.kept + i;
                        const int64_t plane = image * s.inputs + convolution.indices[entry];
                        const float* kernel =
                            convolution.weights.data() + (entry * s.share + o % s.share) * s.rows * s.columns;
                        for (int32_t r = 0; r < s.rows; ++r) {
                            for (int32_t q = 0; q < s.columns; ++q) {
                                const int32_t y = h * s.stride_rows - s.padding_rows + r;
                                const int32_t z = w * s.stride_columns - s.padding_columns + q;
                                if (y < 0 || y >= s.height || z < 0 || z >= s.width) {
                                    continue;
                                }
                                const double product = static_cast<double>(kernel[r * s.columns + q])
                                    * x[static_cast<size_t>((plane * s.height + y) * s.width + z)];
                                sum += product;
                                magnitude += std::abs(product);
                            }
                        }
                    }
                    sum = s.activation != KOFN_IDENTITY ? std::max(sum, 0.0) : sum;
                    sum = s.activation == KOFN_RELU6 ? std::min(sum, 6.0) : sum;
                    all.values.push_back(sum);
                    all.bounds.push_back(4 * epsilon * std::sqrt(terms) * magnitude);
                }
            }
        }
    }
    return all;
}

inline std::vector<float> random_values(Random& random, size_t count, bool whole) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(),
                  [&] { return whole ? static_cast<float>(random() % 9) - 4.0f : normal(random); });
    return values;
}

}  // namespace kofn::conv
