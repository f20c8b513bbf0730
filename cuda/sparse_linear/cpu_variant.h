#pragma once

#include <cstdint>

#include "sparse_linear.h"

/**
 * Between the calls of the CPU (sparse_linear_cpu.cpp) and the loops that do the work (sparse_linear_cpu_variant.cpp),
 * which are compiled once for each instruction set. As in sparse_conv, this header has nothing inline.
 *
 * Outputs come in sets: so many as a vector has lanes. Lists and weights of a set are [k][lanes]. The three methods, as
 * measured on Zen 5, differ in what the lanes of a vector are:
 *
 *   single   outputs of one image. The inputs of a step are loaded one by one and put together, which is twice as fast
 *            as the gather instruction. Expanding weights by bitmaps is slower at all densities, 1/2 too.
 *   images   images of one output: x is transposed first, and each weight is broadcast.
 *   shared   outputs that have one list: each input is broadcast, for several images.
 */
namespace kofn::linear {

enum Method { single, images, shared };

/** Some sets of outputs for some images. */
struct Task {
    Method method;
    int vectors;         /* images: vectors of images side by side, 1 or 2 */
    int32_t precision;   /* of weights, output and residual */
    bool narrow;         /* whether indices have 16 bits, or else 32 */
    const void* indices; /* [sets][k][lanes]; shared: [lists][k] */
    const void* weights; /* [sets][k][lanes] */
    const float* bias;   /* [sets][lanes] */
    int64_t kept;
    int64_t sets_of_list; /* shared: so many consecutive sets have one list */
    int64_t first_set, last_set; /* [first, last) */

    const float* x;   /* of the first image; images: [n][vectors · lanes] */
    int64_t in_image; /* floats from image to image, but for images */
    int64_t count;    /* images that exist */
    void* output;     /* of the first image, output 0 */
    const void* residual; /* null if there is none */
    int64_t outputs;
    int32_t activation;
};

/** The loops for one instruction set. */
struct Variant {
    const char* name;
    int lanes;
    void (*run)(const Task& task);
    /* [count][n] → floats [n][width], zeros where there is no image, for inputs first … last − 1. */
    void (*transpose)(const void* x, int32_t precision, int64_t inputs, int64_t count, int64_t width, int64_t first,
                      int64_t last, float* to);
    void (*widen)(const uint16_t* from, int64_t count, float* to); /* bf16 to floats */
};

namespace portable { extern const Variant variant; }
#if defined(KOFN_HAS_avx2)
namespace avx2 { extern const Variant variant; }
#endif
#if defined(KOFN_HAS_avx512)
namespace avx512 { extern const Variant variant; }
#endif

}  // namespace kofn::linear
