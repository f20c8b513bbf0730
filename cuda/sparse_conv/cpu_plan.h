#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "sparse_conv.h"

/**
 * What the parts of the CPU's convolution share: the plan, and the interface to the loops
 * (sparse_conv_cpu_variant.cpp), which are compiled once for each instruction set.
 *
 * Outputs of a plane are seen as lines of vectors. A vector is some neighbouring columns (KOFN_PLANES) or one pixel of
 * some images (KOFN_BATCH16); a line is a row, or a whole plane, or a column of vectors: whatever fills vectors best.
 * A tile is a few lines of a few vectors for a few outputs, whose sums stay in registers while the lists are walked.
 */
namespace kofn::conv {

/** One tile, ready to run. Distances count floats; between lines, vectors and planes they may be anything. */
struct Tile {
    const float* x;         /* input of the tile's first output at tap (0, 0), in channel 0 */
    const int32_t* offsets; /* kept channels' distances from channel 0: [k][outputs at once], or [k] if shared */
    const float* weights;   /* [k][taps][outputs at once] */
    int64_t kept;
    const int32_t* taps; /* distances of the taps from tap (0, 0), in the order of summation */
    int64_t tap_count;
    int64_t in_row;  /* between rows of the input */
    int64_t in_step; /* between vectors of a line, in the input */
    bool prefetch;   /* whether taps and shared lists prefetch; rows always do */

    float* output;
    const float* residual; /* null if there is none */
    int64_t out_plane, out_line, out_step;
    const float* bias;
    int32_t outputs; /* of the outputs at once, so many exist */
    int32_t activation;
    const uint32_t* lanes; /* for each vector of a line, a bit for each lane that exists */
};

using TileFunction = void (*)(const Tile& tile);

/** How a set of loops goes over the input. */
struct Kernel {
    enum Method {
        rows,   /* 3×3, stride 1 or 2: a loaded vector serves all rows of taps that touch it */
        taps,   /* any taps one after the other, several outputs in lock-step */
        shared, /* as taps, for outputs that have one list: a loaded vector serves all of them */
    };
    Method method;
    int lanes;   /* floats of a vector */
    int column;  /* floats between neighbouring columns of the input: 1 or 16 */
    int stride;  /* of rows */
    int outputs; /* at once: a power of two */
    bool one_tap;
};

/** The loops for one instruction set. */
struct Variant {
    const char* name;
    int widest, narrowest; /* vectors, in floats */
    int accumulators;      /* sums that fit in registers beside what else is needed there */
    /* The loop over a tile of such size; null if there is none. */
    TileFunction (*tile)(const Kernel& kernel, int lines, int vectors);
};

namespace portable { extern const Variant variant; }
#if defined(KOFN_HAS_avx2)
namespace avx2 { extern const Variant variant; }
#endif
#if defined(KOFN_HAS_avx512)
namespace avx512 { extern const Variant variant; }
#endif

/** Memory for floats that begins at a multiple of 64 bytes. */
struct Free {
    void operator()(float* memory) const { std::free(memory); }
};
using AlignedFloats = std::unique_ptr<float[], Free>;

/** The cut of an axis into parts whose sizes differ by one at most. */
struct Cut {
    int64_t size = 0, parts = 1;

    int64_t begin(int64_t part) const { return size * part / parts; }
    int64_t end(int64_t part) const { return begin(part + 1); }
};

/** Outputs of one plane as lines of vectors. */
struct Grid {
    int64_t lines, vectors;
    int64_t in_line, in_step, out_line, out_step;
    std::vector<uint32_t> lanes; /* for each vector of a line */
};

/**
 * With a stride, the columns of KOFN_PLANES are first split: those that are a stride apart become neighbours, in a plane
 * for each phase, so that vectors are loaded and not gathered. Phase q of a channel holds x[j, l·stride + q], counted
 * from the corner of the padded plane. Rows stay as they are, but those that no tap reads are left out.
 */
struct Split {
    bool needed = false;
    int64_t phases = 1;            /* that some tap reads */
    int64_t stride = 1;            /* of the rows that are left */
    int64_t rows = 0, columns = 0; /* of a phase */
    int64_t row = 0, plane = 0;    /* distances, as in kofn_strides */
};

constexpr int32_t most_threads = 1024;
constexpr int64_t most_floats = int64_t{1} << 31; /* of an image: distances of channels are 32 bits wide */

/** What the loops may read behind the last element: the rest of a vector, moved by the taps. */
constexpr int64_t rest_of_tensor = 64;

/** Floats from row to row of planes with so many columns, halo included. */
int64_t pitch_of(int64_t columns);

/** Floats from plane to plane if one has so many: see kofn_strides. */
int64_t plane_of(int64_t floats);

/** Calls body(0 … count − 1) on so many threads. */
template <class Body>
void for_each(int32_t threads, int64_t count, Body body) {
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
#endif
    for (int64_t i = 0; i < count; ++i) {
        body(i);
    }
}

/** Decides on kernel, grid and cuts of a plan whose shapes, strides, variant and threads are set. */
void choose(kofn_conv_plan& plan);

}  // namespace kofn::conv

/** A convolution made ready; nothing in it changes once it is made. */
struct kofn_conv_plan {
    kofn_conv conv; /* without the arrays */
    kofn_tensor input, output;
    kofn_strides input_strides, output_strides;
    int32_t threads;
    const kofn::conv::Variant* variant;

    kofn::conv::Split split;
    int64_t in_origin, in_row, in_channel, in_image; /* as the loops see the input: split, if it is */
    int64_t in_floats;                               /* between neighbouring columns */
    int64_t images, image_parts; /* as the loops see them: sixteen images may take several vectors */

    kofn::conv::Kernel kernel;
    kofn::conv::Grid grid;
    bool prefetch;
    kofn::conv::Cut lines, vectors, sets; /* a task: some lines of some vectors, for some sets of outputs at once */

    std::vector<int32_t> offsets, taps;
    kofn::conv::AlignedFloats weights, bias;
    int64_t bytes;
    std::string description;
};
