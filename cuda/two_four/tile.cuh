#pragma once

#include <cstdint>

#include "../common/arithmetic.h"
#include "two_four.h"

/** What a kernel is given, and how it divides the work. */
namespace kofn::two_four {

/** Four words and two, which a lane loads at once: weights and metadata of weights.h. */
struct alignas(16) Four32 {
    uint32_t words[4];
};
struct alignas(8) Two32 {
    uint32_t words[2];
};

/** A layer and its tensors, as kernels see them. The columns of the product are the pixels of all images. */
struct Problem {
    const void* input;
    void* output;
    const void* residual;     // or null
    const Four32* values;     // [blocks][steps][4][32]
    const Two32* metadata;    // [blocks][steps][32]
    const float* bias;        // [blocks of 64]
    uint32_t inputs, outputs, pixels, columns, steps;
    uint32_t tiles_of_outputs; // neighbouring thread blocks share their activations
    int32_t activation;
    int32_t bytes_of_copy;    // of activations, at a time: 16, 8 or 2 in bf16, 16 or 4 in tf32
    bool stores_fours;        // whether four neighbouring outputs are one store
};

/** Storage of bf16 and of tf32. What is staged at a time is equally many bytes in both. */
struct Bf16 {
    using Element = uint16_t;
    static constexpr bool IS_BF16 = true;
    static constexpr uint32_t DEPTH = 64, STEPS = 2;
};
struct Tf32 {
    using Element = uint32_t; // the bits of a float
    static constexpr bool IS_BF16 = false;
    static constexpr uint32_t DEPTH = 32, STEPS = 3;
};

constexpr uint32_t WARP_OUTPUTS = 64, WARP_COLUMNS = 32; // what a warp computes: 4×4 products of 16×8

/**
 * A tile of a thread block: ROWS×COLUMNS warps. Activations are staged as they lie in memory: a line is an input over
 * the tile's pixels or, in a linear layer, an image over some inputs. Lines are padded so that the eight rows that
 * ldmatrix reads at a time, and the 32 words that a warp reads in tf32, are in different banks: a line is an odd number
 * of 16 bytes, and in tf32 over pixels 8 words more than a multiple of 32.
 */
template <class Precision_, bool LINEAR_, uint32_t ROWS_, uint32_t COLUMNS_>
struct Tile {
    using Precision = Precision_;
    using Element = typename Precision::Element;
    static constexpr bool LINEAR = LINEAR_;
    static constexpr uint32_t ROWS = ROWS_, THREADS = 32 * ROWS_ * COLUMNS_;
    static constexpr uint32_t OUTPUTS = WARP_OUTPUTS * ROWS_, COLUMNS = WARP_COLUMNS * COLUMNS_;
    static constexpr uint32_t DEPTH = Precision::DEPTH, STEPS = Precision::STEPS;

    static constexpr uint32_t LINES = LINEAR ? COLUMNS : DEPTH, LENGTH = LINEAR ? DEPTH : COLUMNS;
    static constexpr uint32_t PITCH = LENGTH + (Precision::IS_BF16 || !LINEAR ? 8 : 4);
    static constexpr uint32_t STAGE = LINES * PITCH; // elements
    static_assert(PITCH * sizeof(Element) / 16 % 2 == 1 || (!Precision::IS_BF16 && PITCH % 32 == 8), "bank conflicts");

    /** Results of a warp on their way to memory: 16×32, each line padded. */
    static constexpr uint32_t RESULT_LINES = LINEAR ? 32 : 16, RESULT_LENGTH = LINEAR ? 16 : 32;
    static constexpr uint32_t RESULT_PITCH = RESULT_LENGTH + (LINEAR ? 4 : 8);
    static constexpr uint32_t RESULTS = RESULT_LINES * RESULT_PITCH; // floats

    static constexpr uint32_t STAGED_BYTES = 2 * STAGE * sizeof(Element);
    static constexpr uint32_t RESULT_BYTES = THREADS / 32 * RESULTS * sizeof(float);
    static constexpr uint32_t SHARED_BYTES = STAGED_BYTES > RESULT_BYTES ? STAGED_BYTES : RESULT_BYTES;
    static_assert(SHARED_BYTES <= 48 * 1024, "more than every GPU gives without asking");
};

}  // namespace kofn::two_four
