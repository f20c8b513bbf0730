#pragma once

#include <cstdint>

#include "../common/arithmetic.h"
#include "sparse_linear_cuda.h"

/** What the kernels are given, and what they share. */
namespace kofn::linear {

constexpr uint32_t SHARED_FLOATS = 48 * 1024 / sizeof(float); // what every GPU gives a block without asking
constexpr uint32_t MOST_WARPS = 16;                           // of a block

/** A layer and its tensors. A run is what a list keeps of a segment. */
struct Problem {
    const void* input;
    void* output;
    const void* residual;    // or null
    const void* weights;     // [lists][b][runs]
    const uint16_t* places;  // [lists][runs]: lists; the input's place in shared memory, in floats
    const uint32_t* bitmaps; // [lists][segments][segment / 32]
    const uint32_t* runs;    // [lists · segments + 1]: where each begins among the places
    const float* bias;       // [outputs]
    uint32_t inputs, outputs, batch, share, segment, segments;
    int32_t activation;
};

/** Sixteen bytes, or eight: four elements. */
template <class Element>
struct alignas(4 * sizeof(Element)) Four {
    Element each[4];
};

/** Numbers of several images side by side. */
template <uint32_t IMAGES>
struct alignas(IMAGES * sizeof(float)) Images {
    float each[IMAGES];
};

__device__ __forceinline__ float number(float x) {
    return x;
}
__device__ __forceinline__ float number(uint16_t x) {
    return from_bfloat16(x);
}
__device__ __forceinline__ void store(float x, float* to) {
    *to = x;
}
__device__ __forceinline__ void store(float x, uint16_t* to) {
    *to = to_bfloat16(x);
}

/** A neuron's list and its weights of a segment. */
template <class Element>
struct Run {
    uint32_t begin, end; // among the places
    const Element* weights; // of place `begin`

    __device__ __forceinline__ Run(const Problem& p, uint32_t neuron, uint32_t segment) {
        const uint32_t list = neuron / p.share, *runs = p.runs + list * p.segments;
        begin = runs[segment];
        end = runs[segment + 1];
        const uint32_t first = runs[0], length = runs[p.segments] - first;
        weights = static_cast<const Element*>(p.weights) + first * p.share + neuron % p.share * length + begin - first;
    }
};

/** Input `first + j` of an image; zero where there is none. */
template <class Element>
__device__ __forceinline__ float input_of(const Problem& p, uint32_t image, uint32_t input) {
    const bool there = image < p.batch && input < p.inputs;
    return there ? number(static_cast<const Element*>(p.input)[image * p.inputs + input]) : 0.0f;
}

/** Bias, residual and activation. Not a number stays what it is: comparisons with it do not hold. */
template <class Element>
__device__ __forceinline__ void finish(const Problem& p, uint32_t image, uint32_t neuron, float sum) {
    const uint32_t at = image * p.outputs + neuron;
    float y = sum + p.bias[neuron];
    y = p.residual != nullptr ? y + number(static_cast<const Element*>(p.residual)[at]) : y;
    y = p.activation != KOFN_IDENTITY && y < 0.0f ? 0.0f : y;
    y = p.activation == KOFN_RELU6 && y > 6.0f ? 6.0f : y;
    store(y, static_cast<Element*>(p.output) + at);
}

}  // namespace kofn::linear
