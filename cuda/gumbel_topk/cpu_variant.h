#pragma once

#include <cstddef>
#include <cstdint>

#include "gumbel_topk.h"

/**
 * Between the calls of the CPU (gumbel_topk_cpu.cpp: checks, tasks, threads) and the loops that do the work
 * (gumbel_topk_cpu_variant.cpp), which are compiled once for each instruction set.
 *
 * Code that is compiled for several instruction sets must not contain inline functions or templates that other code
 * uses too: the linker keeps one of equal copies, and that may be one this processor cannot run. So the loops use
 * nothing of the standard library that is a template, and live in a namespace named after the variant.
 */
namespace kofn::cpu {

/** Groups of at most so many candidates are worked on sixteen at a time; larger ones one by one. */
constexpr int64_t small_group = 32;

/** Groups worked on at a time, and partial sums of every sum: whatever the width of this processor's registers. */
constexpr int64_t lanes = 16;

/** A layer, and its elements as rows of runs of neighbours in memory: E = rows[0]·rows[1]·run. */
struct Layer {
    kofn_layer tensors;
    int64_t groups, candidates, kept, words;
    int64_t row_sizes[2], row_strides[2];
    int64_t run;
};

/** Some groups of one layer. */
struct Task {
    const Layer* layer;
    int64_t begin, end;
};

/**
 * Bytes of scratch memory that a task on groups of n candidates may use; the memory begins at a multiple of 64. The
 * gradient takes most (GradientScratch: 12 a candidate, 48 a winner), and every array is rounded up to whole vectors.
 */
constexpr size_t scratch_bytes(int64_t n) {
    return static_cast<size_t>(n) * 60 + 4096;
}

/** The work on one task, compiled for one instruction set. */
struct Variant {
    const char* name;
    bool (*sample)(const Task& task, const kofn_draw& draw, void* scratch); /* false: a score is infinite or NaN */
    void (*backward)(const Task& task, const kofn_draw& draw, void* scratch);
    void (*apply)(const Task& task);
    void (*apply_backward)(const Task& task, bool dense);
};

// Defined where the build has them: KOFN_HAS_avx2, KOFN_HAS_avx512.
namespace portable { extern const Variant variant; }
namespace avx2 { extern const Variant variant; }
namespace avx512 { extern const Variant variant; }

}  // namespace kofn::cpu
