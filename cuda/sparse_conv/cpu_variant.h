#pragma once

#include <cstdint>

#include "sparse_conv.h"

/**
 * Between the calls of the CPU (sparse_conv_cpu.cpp) and the loops that do the work (sparse_conv_cpu_variant.cpp),
 * which are compiled once for each instruction set.
 *
 * Outputs of a plane are seen as lines of vectors. A vector is some neighbouring columns (KOFN_PLANES) or one pixel of
 * some images (KOFN_BATCH16); a line is a row, or a whole plane, or a column of vectors: whatever fills vectors best.
 * A tile is a few lines of a few vectors for a few outputs, whose sums stay in registers while the lists are walked.
 *
 * Code that is compiled for several instruction sets must not contain inline functions or templates that other code
 * uses too: the linker keeps one of equal copies, and that may be one this processor cannot run. So this header has
 * none, and the loops live in a namespace named after the variant.
 */
namespace kofn::conv {

/** One tile, ready to run. Distances count floats; between lines, vectors and planes they may be anything. */
struct Tile {
    const float* x;         /* input of the tile's first output at tap (0, 0), in channel 0 */
    const int32_t* offsets; /* kept channels' distances from channel 0: [k][outputs at once], or [k] if shared */
    const float* weights;   /* [k][taps][outputs at once] */
    int64_t kept;
    const int32_t* taps; /* distances of the taps from tap (0, 0), in the order of summation; see Kernel::small */
    int64_t tap_count;
    int64_t in_row;  /* between rows of the input */
    int64_t in_step; /* between vectors of a line, in the input */
    bool prefetch;   /* of the kept channel that comes next */

    void* output;
    const void* residual; /* null if there is none */
    bool bf16;            /* how both are stored; x and weights are floats */
    const int64_t* planes; /* where the outputs' planes begin */
    int64_t out_line, out_step;
    const float* bias;
    int32_t outputs; /* of the outputs at once, so many exist */
    int32_t activation;
    int32_t lines;
    const uint32_t* lanes; /* for each vector of a line, a bit for each lane that exists */
    bool stream;           /* outputs are whole cache lines, and go past the caches */
};

using TileFunction = void (*)(const Tile& tile);

/** How a set of loops goes over the input. */
struct Kernel {
    enum Method {
        rows,   /* 3×3, stride 1 or 2: a loaded vector serves all rows of taps that touch it */
        taps,   /* any taps one after the other, several outputs in lock-step */
        shared, /* as taps, for outputs that have one list: a loaded vector serves all of them */
        small,  /* 3×3, planes of up to sixteen pixels, packed: taps say for each lane of the output which it reads */
    };
    Method method;
    int lanes;   /* floats of a vector */
    int column;  /* floats between neighbouring columns of the input: 1 or 16 */
    int stride;  /* of rows */
    int outputs; /* at once: a power of two */
    bool one_tap;
    bool whole;  /* a tile of rows is a whole plane of batches of images, with padding 1 around it */
};

/** Where one image (or some lanes of sixteen) of x and dy begins, and which lanes of each vector count. */
struct GradientImage {
    int64_t x, gradient;
    const uint32_t* lanes;
};

/** The gradients of all kernels of some outputs that have one list, over some images and lines. */
struct GradientTile {
    const float* x; /* channel 0 at tap (0, 0) */
    const int32_t* offsets;
    int64_t kept;
    const int32_t* taps; /* distances from tap (0, 0), [R][S] */
    int64_t tap_count;
    int64_t in_row;

    const float* gradient; /* of the first output */
    int64_t plane;         /* from one output's to the next */
    const GradientImage* images;
    int64_t image_count;
    int64_t lines, in_line, out_line;
    int64_t vectors, in_step, out_step;
    int64_t first_vector; /* among those whose lanes an image lists */

    float* weights;        /* of the first output's first kernel; what is found is added */
    int64_t kernel_stride; /* from kept channel to kept channel; the outputs' kernels are neighbours */
    float* bias;           /* of the outputs, or null; added likewise */
};

using GradientFunction = void (*)(const GradientTile& tile);

/** How a set of loops goes over x and dy. */
struct GradientKernel {
    enum Method {
        rows, /* 3×3, stride 1 or 2: a loaded vector of x serves all rows of taps that touch it */
        taps, /* any taps of any kept channels, several in lock-step */
    };
    Method method;
    int lanes;
    int stride;  /* of rows */
    int lines;   /* rows: of dy, under which a strip of x is loaded once */
    int outputs; /* taps: at once, which have one list */
};

/** The loops for one instruction set. */
struct Variant {
    const char* name;
    int widest, narrowest; /* vectors, in floats */
    int accumulators;      /* sums that fit in registers beside what else is needed there */
    bool holds_kernels;    /* loops over batches of images load each pixel once for a 3×3 kernel */
    bool small;            /* there are loops for small planes */
    /* The loop over a tile of such size; null if there is none. */
    TileFunction (*tile)(const Kernel& kernel, int lines, int vectors);
    /* The loop for gradients of kernels, and how many vectors it loads for each multiplication; null if there is none. */
    GradientFunction (*gradient)(const GradientKernel& kernel, double& loads);
    /* bf16 to floats; `count` is rounded up to a multiple of 16, for which both sides have room. */
    void (*widen)(const uint16_t* from, int64_t count, float* to);
};

namespace portable { extern const Variant variant; }
#if defined(KOFN_HAS_avx2)
namespace avx2 { extern const Variant variant; }
#endif
#if defined(KOFN_HAS_avx512)
namespace avx512 { extern const Variant variant; }
#endif

}  // namespace kofn::conv
