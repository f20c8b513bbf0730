#pragma once

#include <cstdint>

#include "fixture.h"

/** The layers that the benches time. */
namespace kofn::conv {

struct Layer {
    const char* name;
    int32_t inputs, outputs, size, taps, stride;
};

/** VGG16, ResNet-18 and ResNet-50 on pictures of 224 × 224, and planes of networks for CIFAR. */
constexpr Layer layers[] = {
    {"vgg16 conv2_2", 128, 128, 112, 3, 1},  {"vgg16 conv3_2", 256, 256, 56, 3, 1},
    {"vgg16 conv4_2", 512, 512, 28, 3, 1},   {"vgg16 conv5_2", 512, 512, 14, 3, 1},
    {"resnet18 l1", 64, 64, 56, 3, 1},       {"resnet18 l2", 128, 128, 28, 3, 1},
    {"resnet18 l3", 256, 256, 14, 3, 1},     {"resnet18 l4", 512, 512, 7, 3, 1},
    {"resnet18 l2 down", 64, 128, 56, 3, 2}, {"resnet18 l4 down", 256, 512, 14, 3, 2},
    {"cifar 32", 64, 64, 32, 3, 1},          {"cifar 8", 256, 256, 8, 3, 1},
    {"cifar 4", 512, 512, 4, 3, 1},          {"cifar 2", 512, 512, 2, 3, 1},
    {"resnet50 64-256", 64, 256, 56, 1, 1},  {"resnet50 256-64", 256, 64, 56, 1, 1},
    {"resnet50 512-128", 512, 128, 28, 1, 1}, {"resnet50 1024-256", 1024, 256, 14, 1, 1},
    {"resnet50 512-2048", 512, 2048, 7, 1, 1},
};

/** A layer with ReLU, 1 / denominator of whose inputs each list keeps. */
inline Spec spec_of(const Layer& layer, int32_t denominator, int32_t share) {
    Spec spec;
    spec.inputs = layer.inputs;
    spec.outputs = layer.outputs;
    spec.height = spec.width = layer.size;
    spec.rows = spec.columns = layer.taps;
    spec.stride_rows = spec.stride_columns = layer.stride;
    spec.padding_rows = spec.padding_columns = layer.taps / 2;
    spec.share = share;
    spec.kept = layer.inputs / denominator;
    spec.bias = true;
    spec.activation = KOFN_RELU;
    return spec;
}

}  // namespace kofn::conv
