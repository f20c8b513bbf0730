#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "cpu_variant.h"

/** The plan, and what the parts of the calls on the CPU share. */
namespace kofn::conv {

/** Memory that begins at a multiple of 64 bytes. */
struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Aligned = std::unique_ptr<T[], Free>;

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
 * With a stride, the columns of KOFN_PLANES are first split: those that are a stride apart become neighbours, in a
 * plane for each phase, so that vectors are loaded and not gathered. Phase q of a channel holds x[j, l·stride + q],
 * counted from the corner of the padded plane. Rows stay as they are, but those that no tap reads are left out.
 *
 * Small planes (Kernel::small) are packed instead: all pixels of a channel become neighbours, sixteen floats a channel.
 */
struct Split {
    bool needed = false;
    bool packed = false;
    int64_t phases = 1;            /* that some tap reads */
    int64_t stride = 1;            /* of the rows that are left */
    int64_t rows = 0, columns = 0; /* of a phase */
    int64_t row = 0, plane = 0;    /* distances, as in kofn_strides */
};

/**
 * With bf16, what is widened to floats before the loops read it. Each thread has a desk in the workspace, on which lie
 * the strip that its task reads, unless the whole input is split, and the weights of a set of outputs.
 */
struct Widening {
    bool needed = false;
    bool by_rows = false;         /* a strip has rows of its own, and is not one stretch of the plane */
    int64_t origin = 0, line = 0; /* in the input: see in_origin, and Grid's in_line */
    int64_t tail = 0;             /* floats from where a row's last vector begins to its end, for all taps */
    int64_t weights = 0, desk = 0; /* where weights begin on a desk, and its size */
};

/** The part of one image that a task reads, by the outputs that it computes. */
struct Strip {
    int64_t image, line, lines, vector, vectors;
};

constexpr int32_t most_threads = 1024;
constexpr int64_t most_floats = int64_t{1} << 31; /* of an image: distances of channels are 32 bits wide */

/** What the loops may read behind the last element: the rest of a vector, moved by the taps. */
constexpr int64_t rest_of_tensor = 64;

/** Floats from row to row of planes with so many columns, halo included. */
int64_t pitch_of(int64_t columns);

/** What follows from a tensor, which is not checked: its halo may be larger than layouts have it. */
kofn_strides strides_of(const kofn_tensor& tensor);

/** target = the first channels of source, with another halo. */
void pad(const kofn_tensor& to, const kofn_tensor& from, const float* source, float* target, int32_t threads);

/** Floats from plane to plane if one has so many: see kofn_strides. */
int64_t plane_of(int64_t floats);

/**
 * How many of the threads pay. One that sleeps takes about 0.1 ms until it works (two virtual cores of an EPYC 9005), in
 * which a core multiplies 5·10⁵ vectors or moves as many floats: with less to do than that, it is better not woken.
 */
inline int32_t that_pay(int32_t threads, double operations) {
    constexpr double waking = 5e5;
    return static_cast<int32_t>(std::clamp(operations / waking, 1.0, static_cast<double>(threads)));
}

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

/** Sets what follows from shapes and layouts alone, if they are in order; returns the status. */
int32_t begin(kofn_conv_plan& plan, const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output,
              int32_t threads, bool values);

/** How the planes of an output can be seen as lines of vectors, `lanes` wide; the way with the fewest vectors. */
Grid grid_of(const kofn_conv_plan& plan, int lanes, bool rows_only);

/**
 * Decides on kernel, grid and cuts of a plan whose shapes, strides, variant and threads are set, and packs small planes
 * where that is allowed.
 */
void choose(kofn_conv_plan& plan, bool may_pack);

/** Then fills in weights, lists and taps, in the order in which the chosen loops read them, and the description. */
void pack(kofn_conv_plan& plan, const kofn_conv& conv);

/** The taps' distances, in the order of summation: down the columns of the kernel. */
void list_taps(kofn_conv_plan& plan);

/** The values alone, where pack() put them before. */
void pack_values(kofn_conv_plan& plan, const float* weights, const float* bias, int32_t threads);

/** Which loops run, over which tiles: outputs × lines × vectors. */
std::string describe(const kofn_conv_plan& plan);

/** Memory of zeros. */
template <class T>
Aligned<T> aligned(int64_t size) {
    const size_t bytes = (static_cast<size_t>(size) * sizeof(T) + 63) / 64 * 64;
    Aligned<T> memory(static_cast<T*>(std::aligned_alloc(64, bytes)));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    std::fill(memory.get(), memory.get() + size, T{});
    return memory;
}

/** The input as the loops see it: split in the workspace, if it must be. Null if tasks widen their strips themselves. */
const float* see_input(const kofn_conv_plan& plan, const void* input, float* workspace, int32_t threads);

/** Decides what is widened, of a plan in bf16 for which choose() was called; false if the copy would be too large. */
bool plan_widening(kofn_conv_plan& plan);

/** The number of the calling thread among those of for_each. */
int64_t this_thread();

/** A strip, on a desk, which then begins where its first output's first tap lies, in channel 0. */
void widen_strip(const kofn_conv_plan& plan, const uint16_t* input, const Strip& strip, float* desk);

/** So many weights of the plan's, on a desk. */
const float* widen_weights(const kofn_conv_plan& plan, int64_t first, int64_t count, float* desk);

/** What a run works on. */
struct Work {
    const float* weights; /* as pack() puts them; null if they are the plan's own, in bf16 */
    const void* input;
    const float* x; /* as see_input() gives it */
    void* output;
    const void* residual;
    float* desks; /* of bf16 */
};

/** All tiles for all outputs. */
void walk(const kofn_conv_plan& plan, const Work& work, int32_t threads);

}  // namespace kofn::conv

/** A convolution made ready; nothing in it changes once it is made. */
struct kofn_conv_plan {
    kofn_conv conv; /* without the arrays */
    kofn_tensor input, output;
    kofn_strides input_strides, output_strides;
    int32_t threads, paying; /* at most, and as many as pay */
    const kofn::conv::Variant* variant;

    kofn::conv::Split split;
    kofn::conv::Widening widening;
    int64_t in_origin, in_row, in_channel, in_image; /* as the loops see the input */
    int64_t in_floats, out_floats;                   /* between neighbouring columns */
    int64_t images, image_parts; /* as the loops see them: sixteen images may take several vectors */

    kofn::conv::Kernel kernel;
    kofn::conv::Grid grid;
    bool prefetch, ahead, stream; /* the next channel; the next tile; outputs past the caches */
    kofn::conv::Cut lines, vectors, sets; /* a tile: some lines of some vectors, for some sets of outputs at once */
    kofn::conv::Cut runs;                 /* of the parts of vectors: a task has several, one after the other */

    std::vector<int64_t> starts; /* of each set, the entry of the lists it begins with; at last their number */
    std::vector<int64_t> planes; /* where each output's plane begins */
    std::vector<int32_t> offsets, taps;
    kofn::conv::Aligned<float> weights, bias;
    kofn::conv::Aligned<uint16_t> halves; /* the weights in bf16, instead of floats */
    int64_t bytes;
    std::string description;
};
