#pragma once

#include "reference.h"

/** Gradients by their definition (sparse_conv_backward.h), in double precision, with what they may be off. */
namespace kofn::conv {

struct ExpectedGradients {
    Expected input, weights, bias;
};

/** x: [batch, inputs, height, width], dy: as the output. */
inline ExpectedGradients expected_gradients(const Convolution& convolution, const std::vector<float>& x,
                                            const std::vector<float>& dy, int32_t batch) {
    const Spec& s = convolution.spec;
    const int64_t area = int64_t{s.out_height()} * s.out_width();
    const auto sized = [](size_t size) { return Expected{std::vector<double>(size), std::vector<double>(size)}; };
    ExpectedGradients all{sized(x.size()), sized(convolution.weights.size()), sized(static_cast<size_t>(s.outputs))};
    const auto add = [](Expected& to, int64_t at, double product) {
        to.values[static_cast<size_t>(at)] += product;
        to.bounds[static_cast<size_t>(at)] += std::abs(product);
    };
    for (int64_t image = 0; image < batch; ++image) {
        for (int64_t o = 0; o < s.outputs; ++o) {
            for (int64_t pixel = 0; pixel < area; ++pixel) {
                const double gradient = dy[static_cast<size_t>((image * s.outputs + o) * area + pixel)];
                const int64_t h = pixel / s.out_width(), w = pixel % s.out_width();
                add(all.bias, o, gradient);
                for (int64_t i = 0; i < s.kept; ++i) {
                    const int64_t entry = o / s.share * s.kept + i;
                    const int64_t plane = image * s.inputs + convolution.indices[static_cast<size_t>(entry)];
                    for (int64_t tap = 0; tap < s.rows * s.columns; ++tap) {
                        const int64_t y = h * s.stride_rows - s.padding_rows + tap / s.columns;
                        const int64_t z = w * s.stride_columns - s.padding_columns + tap % s.columns;
                        if (y < 0 || y >= s.height || z < 0 || z >= s.width) {
                            continue;
                        }
                        const int64_t from = (plane * s.height + y) * s.width + z;
                        const int64_t weight = (entry * s.share + o % s.share) * s.rows * s.columns + tap;
                        add(all.input, from, gradient * convolution.weights[static_cast<size_t>(weight)]);
                        add(all.weights, weight, gradient * x[static_cast<size_t>(from)]);
                    }
                }
            }
        }
    }
    const double epsilon = std::numeric_limits<float>::epsilon();
    const double uses = static_cast<double>(s.outputs) * s.rows * s.columns, pixels = static_cast<double>(batch * area);
    const auto bound = [&](Expected& of, double terms) {
        for (double& b : of.bounds) {
            b *= 4 * epsilon * std::sqrt(terms);
        }
    };
    bound(all.input, uses);
    bound(all.weights, pixels);
    bound(all.bias, pixels);
    return all;
}

}  // namespace kofn::conv
