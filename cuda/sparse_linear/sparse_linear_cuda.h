#pragma once

#include "sparse_linear.h"

/**
 * The linear layers of sparse_linear.h on NVIDIA GPUs. x [batch, n] and y [batch, O] are row-major without gaps; a kernel
 * stages x in shared memory, so many inputs at a time as fit: a segment.
 *
 * Few images (up to 4): a warp computes a neuron, its lanes share the kept weights, and partial sums are added in a fixed
 * order. What is kept is a list of 16-bit places, or a bitmap with a bit for each input, whichever takes less time. A
 * neuron's list has 2·k/b bytes and its bitmap n/(8·b), so that by bytes alone bitmaps win above density 1/16. But every
 * 32 bits have to be counted and shared out among lanes, which is estimated at 1.75 clocks of a multiprocessor; in that
 * time 36 bytes reach one of an H200. So with b = 1 bitmaps are taken above density 3/16 (fp32) or 9/32 (bf16).
 *
 * Many images: they are the lanes, and each weight is broadcast to 8, 16 or 32 of them. Four weights take four accesses to
 * shared memory for 128 products, and two more for weights and places: at most 21 products a clock and multiprocessor, a
 * sixth of what FFMA units could do. So many images pay against a dense product in fp32 below density 1/6, and hardly
 * against tensor cores. With lists that 16 or more outputs share, the gathered method of sparse_conv_cuda.h, on tensor
 * cores, is the one to take: a linear layer is a 1×1 convolution of one pixel.
 *
 * The floor: at least O·k weights move, once, with 2·O·k/b bytes of places or n·O/(8·b) of bitmaps, and batch·(n + O)
 * activations. A dense layer moves O·n weights: with b = 1 at density 1/2, 1/4, 1/8, 1/16 1.9, 3.6, 5.3, 10.7 times as many
 * bytes in fp32, and 1.8, 2, 4, 8 times in bf16. An H200 moves 4.8 TB/s. None of this has been timed on a GPU yet;
 * sparse_linear_bench does.
 *
 * The same bits for all grids and repeated runs; the size of the batch chooses the method, and with it the order of sums.
 * An error bound: |error| ≤ c·ε·√k·Σ|w||x|, c = 4; in bf16 the result is rounded once more.
 */

/** A layer made ready for one device and one size of batch: weights and lists packed and uploaded. */
typedef struct kofn_cuda_linear_plan kofn_cuda_linear_plan;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * Makes a plan on the current device: KOFN_FP32, or KOFN_BF16, with activations, residual and weights stored in bf16.
 * The arrays of `linear` are in the host's memory, fp32 also for bf16, and are not kept. Waits for the upload. *plan is
 * written only on success. KOFN_CONV_SHAPE also for a batch outside 1 … 2²⁰, another precision, a tensor of 2³¹ elements
 * or more, or 2³⁰ kept weights or more; KOFN_CONV_MEMORY if the device has too little.
 */
int32_t kofn_cuda_linear_open(const kofn_linear* linear, int32_t batch, int32_t precision,
                              kofn_cuda_linear_plan** plan);
void kofn_cuda_linear_close(kofn_cuda_linear_plan* plan);

/** Bytes that the plan holds on the device. */
int64_t kofn_cuda_linear_bytes(const kofn_cuda_linear_plan* plan);

/** What was chosen, for reports: for instance "1 image, bitmaps, segments of 4096, fp32". Valid as long as the plan. */
const char* kofn_cuda_linear_describe(const kofn_cuda_linear_plan* plan);

/**
 * output = the layer of input, asynchronously on `stream` (a cudaStream_t). `residual` has the shape of the output and
 * may be the output itself, or null. All in device memory, fp32 or bf16 by the plan's precision. A plan may run many
 * times at once. KOFN_CONV_LAUNCH if CUDA refuses the launch.
 */
int32_t kofn_cuda_linear_run(const kofn_cuda_linear_plan* plan, const void* input, void* output, const void* residual,
                             void* stream);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
