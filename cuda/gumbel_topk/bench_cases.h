#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "fixture.h"

/** What the benches measure: the layers of networks, and single shapes; and the bytes that must move for them. */
namespace kofn {

/** Outputs, inputs and the side of the filter of a convolution. */
struct Convolution {
    int64_t outputs, inputs, side;
};

inline std::vector<Convolution> resnet18() {
    std::vector<Convolution> shapes = {{64, 3, 7}};
    int64_t inputs = 64;
    for (int64_t width : {64, 128, 256, 512}) {
        for (int block = 0; block < 2; ++block) {
            shapes.push_back({width, inputs, 3});
            shapes.push_back({width, width, 3});
            if (inputs != width) {
                shapes.push_back({width, inputs, 1});
            }
            inputs = width;
        }
    }
    return shapes;
}

inline std::vector<Convolution> vgg16() {
    std::vector<Convolution> shapes;
    int64_t inputs = 3;
    for (int64_t width : {64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512}) {
        shapes.push_back({width, inputs, 3});
        inputs = width;
    }
    return shapes;
}

/** Layers that are sampled in one call. */
struct Case {
    std::string name;
    std::vector<LayerSpec> layers;
};

/** A network of which a share of the candidates stays; n:m keeps one of four. */
inline Case network(const std::string& name, const std::vector<Convolution>& shapes, Granularity granularity, double share) {
    Case made{name, {}};
    for (const Convolution& shape : shapes) {
        LayerSpec spec;
        spec.granularity = granularity;
        spec.outputs = shape.outputs;
        spec.inputs = shape.inputs;
        spec.rows = spec.columns = shape.side;
        spec.m = shape.inputs % 4 == 0 ? 4 : 1;
        const int64_t n = layout_of(spec).candidates;
        spec.kept = granularity == Granularity::n_of_m
            ? 1 : std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(n) * share));
        spec.index = static_cast<uint32_t>(made.layers.size());
        made.layers.push_back(spec);
    }
    return made;
}

/** One linear layer. */
inline Case linear(const std::string& name, int64_t outputs, int64_t inputs, double share) {
    return network(name, {{outputs, inputs, 1}}, Granularity::weight, share);
}

inline std::vector<Case> cases() {
    return {
        network("resnet-18 weight 10 %", resnet18(), Granularity::weight, 0.1),
        network("resnet-18 weight 50 %", resnet18(), Granularity::weight, 0.5),
        network("resnet-18 kernel 10 %", resnet18(), Granularity::kernel, 0.1),
        network("resnet-18 kernel 50 %", resnet18(), Granularity::kernel, 0.5),
        network("resnet-18 filter 50 %", resnet18(), Granularity::filter, 0.5),
        network("resnet-18 1:4", resnet18(), Granularity::n_of_m, 0.25),
        network("vgg16 weight 10 %", vgg16(), Granularity::weight, 0.1),
        network("vgg16 kernel 10 %", vgg16(), Granularity::kernel, 0.1),
        linear("linear 512x512 10 %", 512, 512, 0.1),
        linear("linear 4096x4096 10 %", 4096, 4096, 0.1),
        linear("linear 256x25088 10 %", 256, 25088, 0.1),
        linear("linear 16x1048576 10 %", 16, int64_t{1} << 20, 0.1),
    };
}

/** Bytes that a forward must move at least, in single precision: "the floor" of gumbel_topk.h. */
inline double forward_floor(const LayerSpec& spec) {
    const kofn_layout layout = layout_of(spec);
    const double groups = static_cast<double>(groups_of(layout));
    const double n = groups * static_cast<double>(layout.candidates);
    const double k = groups * static_cast<double>(spec.kept);
    return 4 * n + 8 * static_cast<double>(spec.weights()) + n + n / 8 + 4 * k;
}

/** The same for a backward; `masked` if ∂L/∂W is written too. */
inline double backward_floor(const LayerSpec& spec, bool masked) {
    const kofn_layout layout = layout_of(spec);
    const double groups = static_cast<double>(groups_of(layout));
    const double n = groups * static_cast<double>(layout.candidates);
    const double k = groups * static_cast<double>(spec.kept);
    return 8 * n + (masked ? 12 : 8) * static_cast<double>(spec.weights()) + 4 * k;
}

}  // namespace kofn
