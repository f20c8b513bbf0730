#pragma once

#include "../sparse_conv/sparse_conv.h" /* kofn_conv_status, kofn_activation, kofn_precision */

/**
 * Sparse linear layer: of the n inputs, every neuron (or every b consecutive ones) weighs exactly k.
 *
 *   y[m, o] = act( bias[o] + residual[m, o] + Σ_{i<k} weights[o/b][i][o mod b] · x[m, indices[o/b][i]] )
 *
 * Because every list is k long, sixteen neurons walk their lists in lock-step: no row pointers, no branches. Only inputs
 * that are in a list are read.
 *
 * The floor. A batch of N does 2·N·O·k floating-point operations ("useful": those of kept weights) and reads every
 * weight and index once: O·k·(4 + 2/b) bytes in fp32, O·k·(2 + 2/b) in bf16, with indices of 16 bits. Up to a batch of
 * about 16 nothing else matters where these bytes come from memory: a dense layer reads 4·O·n, which is the most that
 * can be won: 1.33, 2.7, 5.3, 10.7 times at density 1/2, 1/4, 1/8, 1/16. Bitmaps, one bit an input, take fewer bytes than
 * lists from density 1/16 on.
 *
 * Sums: over i, ascending, in one accumulator per output; then bias, residual and activation. No implementation on the
 * CPU splits or reorders them, so the bits depend neither on threads nor on the batch; only on whether the processor
 * fuses multiplication and addition. An error bound: |error| ≤ c·ε·√k·Σ|w||x|, c = 4. In bf16 products and sums are those
 * of fp32, and the result is rounded once.
 */

/** A linear layer. The arrays are read while a plan is made, and not kept. */
typedef struct kofn_linear {
    int32_t inputs, outputs; /* n and O, 1 … 2²⁰ */
    int32_t share;           /* b: so many consecutive outputs have one list; divides O */
    int32_t kept;            /* k, 1 … n */
    int32_t activation;      /* kofn_activation */
    const int32_t* indices;  /* [O/b][k], strictly ascending, in 0 … n − 1 */
    const float* weights;    /* [O/b][k][b]: the values of a compact file */
    const float* bias;       /* [O], or null */
} kofn_linear;

/** A layer made ready for one size of batch: weights packed, loops chosen. */
typedef struct kofn_linear_plan kofn_linear_plan;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default) /* everything else in the library is hidden */

/**
 * Makes a plan for batches of that size and the variant that runs now (kofn_cpu_variant): KOFN_FP32, or KOFN_BF16, with
 * activations, residual and weights stored in bf16. The calls return a kofn_conv_status: KOFN_CONV_SHAPE also for a batch
 * outside 1 … 2²⁰ and for another precision. *plan is written only on success.
 */
int32_t kofn_cpu_linear_open(const kofn_linear* linear, int32_t batch, int32_t precision, int32_t threads,
                             kofn_linear_plan** plan);
void kofn_cpu_linear_close(kofn_linear_plan* plan);

/** Floats of scratch memory that a run needs; 0 if none. It begins at a multiple of 64 bytes; each run has its own. */
int64_t kofn_cpu_linear_workspace(const kofn_linear_plan* plan);

/** Bytes that the plan holds: weights and indices in the order in which they are read. */
int64_t kofn_cpu_linear_bytes(const kofn_linear_plan* plan);

/** What was chosen, for reports: for instance "images, 2 vectors of 16 lanes, 16-bit lists, fp32, avx512". */
const char* kofn_cpu_linear_describe(const kofn_linear_plan* plan);

/**
 * output [batch, O] = the layer of input [batch, n], both row-major without gaps, with 1 … the plan's threads.
 * All fp32 or bf16 by the plan's precision; `residual` is as the output and may be the output itself, or null. Nothing is
 * allocated. A plan may run many times at once, with different outputs and workspaces.
 */
int32_t kofn_cpu_linear_run(const kofn_linear_plan* plan, const void* input, void* output, const void* residual,
                            float* workspace, int32_t threads);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
