#pragma once

#include "../sparse_conv/sparse_conv_cuda.h"

/**
 * 2:4 sparsity on sparse tensor cores (Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021): of every four
 * consecutive inputs an output keeps exactly two, at places of its own. For 1×1 convolutions and linear layers:
 *
 *   y[i, o, p] = act( Σ_c W[o, c] · x[i, c, p] + bias[o] + residual[i, o, p] )
 *
 * with x [N, n, P] and y [N, O, P] plain, without gaps: P is the number of pixels, height times width. P = 1 is the linear
 * layer, x [N, n] and y [N, O]: its inputs, not its pixels, are neighbours in memory, and kernels stage them so.
 *
 * The method is `mma.sp` (common/mma_sparse.cuh), which reads the kept weights and two bits for the place of each, and
 * picks the activations that they meet. In bf16 it does a dense product's work in half the time. In tf32 the hardware
 * keeps one of every *two*. Three pairs of neighbours hold any two of four — (0, 1) and (2, 3), and one across them for
 * what falls into the same pair — so tf32 takes three quarters of a dense product's time, and one weight of three is a
 * zero. There an input that is not finite also makes NaN of outputs that do not keep it.
 *
 * The floor. A dense product of these sizes does 2·N·P·O·n operations, of which half are useful. At least N·P·(n + O)
 * activations move, O·n/2 weights, and O·n/8 bytes of places; in fp32 an element has 4 bytes, in bf16 2. An H200 moves
 * 4.8 TB/s; its sparse tensor cores do 989 (tf32) and 1979 (bf16) TFLOP/s counted as dense, by NVIDIA's data sheet, so
 * that 741 are left of tf32's for any two of four.
 *
 * Each output is summed by one warp over ascending inputs in single precision, so that bits depend neither on tiles and
 * the grid, nor on batch and alignment; the order inside a product of 32 or 16 inputs is the hardware's. An error bound:
 * |error| ≤ c·ε·√(n/2)·Σ|w||x|, c = 4, ε = 2⁻⁸ (bf16) or 2⁻¹¹ (tf32).
 *
 * On a CPU there is nothing to gain from the pattern; there a 2:4 layer is a kofn_conv with k = n/2.
 */

/** A layer. The arrays are in the host's memory, read while a plan is made, and not kept. */
typedef struct kofn_two_four {
    int32_t inputs, outputs; /* n, a multiple of 4, and O */
    int32_t batch, pixels;   /* N and P */
    int32_t activation;      /* kofn_activation */
    const float* values;     /* [O][n/2]: what is kept, inputs ascending */
    const uint8_t* places;   /* [O][⌈n/8⌉], see kofn_two_four_pack */
    const float* bias;       /* [O], or null */
} kofn_two_four;

/** A layer made ready for one device: weights and places in the order in which they are read, and uploaded. */
typedef struct kofn_cuda_two_four_plan kofn_cuda_two_four_plan;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * From dense weights [O, n] and a mask of 0 and 1 to values and places. The places of inputs 4c … 4c + 3 are four bits,
 * the lower place (0 … 3) in the low two and the higher one in the high two; even c in the low half of byte ⌊c/2⌋, odd c
 * in the high half, and a half that is left over is 0. A kept weight may be zero.
 *
 * KOFN_CONV_SHAPE if a size is not positive or n % 4 ≠ 0; KOFN_CONV_KEPT if not exactly two of four are kept. A refused
 * call has written nothing.
 */
int32_t kofn_two_four_pack(int32_t outputs, int32_t inputs, const float* dense, const uint8_t* mask, float* values,
                           uint8_t* places);

/**
 * Makes a plan on the current device, KOFN_TF32 or KOFN_BF16. Waits for the upload. *plan is written only on success.
 *
 * KOFN_CONV_SHAPE if n % 4 ≠ 0, a size is not positive, x or y has an image of 2³¹ elements or more, N·P > 2³⁰, or
 * precision or activation are unknown; KOFN_CONV_INDEX if places do not ascend or a spare half byte is not 0;
 * KOFN_CONV_MEMORY if there is too little.
 */
int32_t kofn_cuda_two_four_open(const kofn_two_four* layer, int32_t precision, kofn_cuda_two_four_plan** plan);
void kofn_cuda_two_four_close(kofn_cuda_two_four_plan* plan);

/** Bytes that the plan holds on the device. */
int64_t kofn_cuda_two_four_bytes(const kofn_cuda_two_four_plan* plan);

/** What was chosen, for reports: for instance "2:4 128x128x64, bf16". Valid as long as the plan. */
const char* kofn_cuda_two_four_describe(const kofn_cuda_two_four_plan* plan);

/**
 * output = the layer of input, asynchronously on `stream` (a cudaStream_t). `residual` has the shape of the output and
 * may be the output itself, or null. All in device memory, fp32 or bf16 by the plan's precision; fastest at multiples of
 * 16 bytes. A plan may run many times at once. KOFN_CONV_LAUNCH if CUDA refuses the launch.
 */
int32_t kofn_cuda_two_four_run(const kofn_cuda_two_four_plan* plan, const void* input, void* output,
                               const void* residual, void* stream);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
