#pragma once

#include <stdint.h>

/**
 * Structured k-out-of-n sparse convolution: of the n input channels, every output channel (or every b consecutive ones)
 * convolves exactly k, each with a whole R×S kernel. In single precision:
 *
 *   y[o, h, w] = act( bias[o] + residual[o, h, w] + Σ_{i<k} Σ_{r<R} Σ_{s<S} weights[o/b][i][o mod b][r, s]
 *                     · x[indices[o/b][i], h·stride − padding + r, w·stride' − padding' + s] )
 *
 * Because every list is k long, loops have fixed trip counts: no row pointers, no branches, outputs in lock-step.
 * Because a kept candidate is a whole kernel, a loaded row of x serves R outputs.
 *
 * The floor. N images of H'×W' outputs need 2·N·O·k·R·S·H'·W' floating-point operations ("useful": those of kept
 * weights), and move at least 4·N·(n·H·W + O·H'·W') bytes of activations and 4·O·k·R·S + 4·(O/b)·k bytes of weights and
 * indices. Kernels of 3×3 are limited by arithmetic: a layer of 256 channels at 14×14 and k = 32 does 40 operations
 * for each of those bytes. 1×1 layers with few kept channels are limited by memory.
 *
 * Sums: over i, then s, then r, in one accumulator per output; then bias, residual and activation. No implementation
 * splits or reorders them, so the bits depend neither on tiles and threads nor on batch and form; only on whether the
 * processor fuses multiplication and addition. An error bound: |error| ≤ c·ε·√(kRS)·Σ|w||x|, c = 4. In bf16 the floor
 * counts 2 bytes for each activation and weight; products and sums are those of fp32, and the result is rounded once.
 *
 * Activations stay in padded tensors (kofn_tensor) between layers, so that no layer copies its input to pad it.
 */

/** What is stored and how it is multiplied. Sums are single precision always. */
enum kofn_precision {
    KOFN_FP32 = 0, /* fp32 everywhere */
    KOFN_TF32 = 1, /* fp32 storage; on tensor cores, factors rounded to tf32 (10 bits of fraction); not on the CPU */
    KOFN_BF16 = 2, /* activations, residual and weights stored in bf16, to nearest even; bias stays fp32 */
};

/** Where the elements of a tensor [batch, channels, height, width] lie. */
enum kofn_form {
    KOFN_PLANES = 0,  /* rows of neighbouring columns: NCHW with zeros around the planes */
    KOFN_BATCH16 = 1, /* sixteen images innermost: [⌈batch/16⌉, channels, height, width, 16] */
};

/**
 * A padded tensor. There are `halo` zeros on each side of a plane, at least the padding of every convolution that reads
 * the tensor; the right halo of a row is the left halo of the next. In KOFN_BATCH16 lanes without an image hold
 * anything finite.
 */
typedef struct kofn_tensor {
    int32_t form;
    int32_t batch, channels, height, width;
    int32_t halo;      /* 0 … 3 */
    int32_t precision; /* KOFN_FP32 or KOFN_BF16: floats, or two bytes each */
} kofn_tensor;

/**
 * What follows from a kofn_tensor, counted in elements: element (i, c, h, w) is at
 *
 *   KOFN_PLANES    origin + i·image + c·plane + h·row + w
 *   KOFN_BATCH16   origin + ⌊i/16⌋·image + c·plane + h·row + w·16 + i mod 16
 *
 * `elements` is the size of the memory, which begins at a multiple of 64 bytes. It counts a rest at the end that kernels
 * may read and never use. A plane is an odd number of 64-byte lines of floats long: planes that start at equal positions
 * of all pages would share few sets of the caches.
 *
 * Some consecutive channels of a tensor are themselves a tensor: move the pointer by whole planes (concatenation).
 */
typedef struct kofn_strides {
    int64_t origin, row, plane, image, elements;
} kofn_strides;

enum kofn_activation { KOFN_IDENTITY = 0, KOFN_RELU = 1, KOFN_RELU6 = 2 };

/** A convolution, dilation 1, groups 1. The arrays are read while a plan is made, and not kept. */
typedef struct kofn_conv {
    int32_t inputs, outputs;  /* n and O */
    int32_t height, width;    /* of the input */
    int32_t rows, columns;    /* R and S, 1 … 7 */
    int32_t stride_rows, stride_columns;   /* 1 … 7 */
    int32_t padding_rows, padding_columns; /* 0 … 3 */
    int32_t share;            /* b: so many consecutive outputs have one list; divides O */
    int32_t kept;             /* k, 1 … n */
    int32_t activation;       /* kofn_activation */
    const int32_t* indices;   /* [O/b][k], strictly ascending, in 0 … n − 1 */
    const float* weights;     /* [O/b][k][b][R][S]: the values of a compact file */
    const float* bias;        /* [O], or null; batch norm is folded into weights and bias */
} kofn_conv;

/** What the calls return. A refused call has written nothing. */
enum kofn_conv_status {
    KOFN_CONV_OK = 0,
    KOFN_CONV_NULL = 1,    /* a null pointer where memory is needed */
    KOFN_CONV_SHAPE = 2,   /* a size out of range, or no output left */
    KOFN_CONV_KEPT = 3,    /* k outside 1 … n, or b does not divide O */
    KOFN_CONV_INDEX = 4,   /* a list that is not strictly ascending in 0 … n − 1 */
    KOFN_CONV_LAYOUT = 5,  /* a tensor that is not this convolution's input or output, or whose halo is too small */
    KOFN_CONV_MEMORY = 6,  /* no memory for the plan */
    KOFN_CONV_THREADS = 7, /* a number of threads outside 1 … 1024, or other than the plan allows */
    KOFN_CONV_LAUNCH = 8,  /* CUDA refused a launch or an upload */
};

/** A convolution made ready for one shape of input: weights packed, tiles chosen. */
typedef struct kofn_conv_plan kofn_conv_plan;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default) /* everything else in the library is hidden */

/**
 * The form in which layers of planes that wide are fastest. KOFN_BATCH16 fills all lanes whatever the width, loads whole
 * cache lines for all taps and strides, and stores whole ones: it is better if few of its lanes have no image. Rows that
 * are several vectors wide fill them anyway, and a tile needs fewer cache lines of them.
 */
int32_t kofn_tensor_form(int32_t batch, int32_t width);

/** KOFN_CONV_SHAPE if a size is not positive, the halo is outside 0 … 3, or an image has 2³¹ elements or more. */
int32_t kofn_tensor_strides(const kofn_tensor* tensor, kofn_strides* strides);

/**
 * Writes zeros wherever there is no element: once, before anything reads the tensor's memory. No call writes there
 * again.
 */
int32_t kofn_cpu_tensor_clear(const kofn_tensor* tensor, void* data, int32_t threads);

/** data = plain [batch, channels, height, width], fp32; lanes without an image become zero. */
int32_t kofn_cpu_tensor_import(const kofn_tensor* tensor, const float* plain, void* data, int32_t threads);

/** plain = data. */
int32_t kofn_cpu_tensor_export(const kofn_tensor* tensor, const void* data, float* plain, int32_t threads);

/** The elements of one padded tensor to another of the same sizes, whose form, halo and precision may differ. */
int32_t kofn_cpu_tensor_convert(const kofn_tensor* from, const void* source, const kofn_tensor* to, void* data,
                                int32_t threads);

/**
 * Makes a plan for the variant that runs now (kofn_cpu_variant); *plan is written only if that succeeds. Weights are
 * stored in the precision of the tensors, which have the same one.
 */
int32_t kofn_cpu_conv_open(const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output, int32_t threads,
                           kofn_conv_plan** plan);
void kofn_cpu_conv_close(kofn_conv_plan* plan);

/**
 * Other values for the same lists: weights [O/b][k][b][R][S], bias [O] or null. For training, where they change at every
 * step. No run may be under way.
 */
int32_t kofn_cpu_conv_set_weights(kofn_conv_plan* plan, const float* weights, const float* bias, int32_t threads);

/** Floats of scratch memory that a run needs; 0 if none. It begins at a multiple of 64 bytes; each run has its own. */
int64_t kofn_cpu_conv_workspace(const kofn_conv_plan* plan);

/** Bytes that the plan holds: weights and indices in the order in which they are read. */
int64_t kofn_cpu_conv_bytes(const kofn_conv_plan* plan);

/** What was chosen, for reports: for instance "rows 2x4x3 of 16 lanes, bf16, avx512". Valid as long as the plan. */
const char* kofn_cpu_conv_describe(const kofn_conv_plan* plan);

/**
 * output = the convolution of input, with 1 … the plan's threads. `residual` has the layout of output and may be the
 * output itself, or null. Nothing is allocated. A plan may run many times at once, with different outputs and
 * workspaces.
 */
int32_t kofn_cpu_conv_run(const kofn_conv_plan* plan, const void* input, void* output, const void* residual,
                          float* workspace, int32_t threads);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
