#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "../common/check.h"
#include "../common/variants.h"
#include "fixture.h"
#include "gumbel_topk.h"

/** What the tests of the CPU's variants share. */
namespace kofn {

/** Several layers for one call. */
struct Network {
    std::vector<TestLayer> layers;

    std::vector<kofn_layer> views() {
        std::vector<kofn_layer> views;
        for (TestLayer& layer : layers) {
            views.push_back(layer.view());
        }
        return views;
    }

    bool intact() const {
        return std::all_of(layers.begin(), layers.end(), [](const TestLayer& layer) { return layer.intact(); });
    }

    int64_t groups() const {
        int64_t sum = 0;
        for (const TestLayer& layer : layers) {
            sum += layer.groups;
        }
        return sum;
    }
};

inline Network random_network(std::mt19937_64& random, LayerSpec (*spec)(std::mt19937_64&), int layers) {
    Network network;
    for (int i = 0; i < layers; ++i) {
        network.layers.emplace_back(spec(random), random());
    }
    return network;
}

inline kofn_draw random_draw(std::mt19937_64& random) {
    const float scales[] = {1, 1, 1, 0.5f, 0};
    return {random(), static_cast<uint32_t>(random()), 1, scales[random() % 5], 0, 0};
}

/** One layer and one call, for the tests below. */
inline LayerSpec plain_layer(int64_t outputs, int64_t inputs, int64_t kept) {
    LayerSpec spec;
    spec.outputs = outputs;
    spec.inputs = inputs;
    spec.kept = kept;
    return spec;
}

inline LayerSpec gradient_layer(std::mt19937_64& random) {
    LayerSpec spec = random_layer(random);
    while (spec.weights() > 1000000) {
        spec = random_layer(random);
    }
    if (random() % 3 == 0) {
        spec.logits = Logits::ties;  // without noise, the order of equal winners shows in their gradients
    }
    return spec;
}

}  // namespace kofn
