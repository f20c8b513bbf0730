#pragma once

#include "sparse_conv_cuda.h"

/**
 * The gradients of sparse_conv_backward.h on NVIDIA GPUs: of the data, of the kept kernels and of the bias, under a mask
 * that does not change. Tensors are plain, [batch, channels, height, width] without gaps, as LibTorch has them.
 *
 * Both run on FFMA units, by the direct method of sparse_conv_cuda.h, whatever the precision and whether lists are
 * shared or not: KOFN_TF32 computes what KOFN_FP32 does. For the data, lists are transposed and run over dy, one
 * convolution of stride 1 for each remainder of the stride; weights are put into the order of these lists on the device.
 * For the kernels, a lane holds a patch of dy in registers and correlates it with the planes of x that its list keeps:
 * 7 × 8 pixels of a 3×3 kernel take 90 floats of shared memory, 10 exchanges between lanes and 4 accesses to sums in the
 * L2 cache for 504 products. 1×1 kernels take a float for each product, which shared memory limits to a quarter of the
 * FFMA rate.
 *
 * The floor is that of sparse_conv_backward.h, with 2 bytes for each activation and gradient in bf16; the weights and
 * their gradient have 4. An H200 does 67 TFLOP/s in fp32 and moves 4.8 TB/s. None of this has been timed on a GPU yet;
 * sparse_conv_backward_bench does.
 *
 * Sums. `data`: over outputs ascending, then taps backwards, in one accumulator. `weights`: over parts of the batch's
 * pixels, within a part over tiles, within a tile over eight patches; all this follows from the shape alone. So bits
 * depend on neither the device's size nor the grid, and nothing is added atomically. Error bounds: c·ε·√K·Σ|a||b| over
 * the K terms of each sum, c = 4; dx in bf16 is rounded once more.
 */

/** The gradients of one convolution made ready for one device. Values of weights come with every call. */
typedef struct kofn_cuda_conv_backward kofn_cuda_conv_backward;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * Makes a plan on the current device, for a forward pass of inputs [batch, conv->inputs, height, width]. The indices are
 * in the host's memory and are not kept; weights and bias are not read and may be null. The activation must be
 * KOFN_IDENTITY (else KOFN_CONV_SHAPE), for dy is what comes from behind it. Waits for the upload. *plan is written only
 * on success. KOFN_CONV_SHAPE also for an unknown precision, a tensor of 2³¹ elements or more, or as many kept weights;
 * KOFN_CONV_MEMORY if the device has too little.
 */
int32_t kofn_cuda_conv_backward_open(const kofn_conv* conv, int32_t batch, int32_t precision,
                                     kofn_cuda_conv_backward** plan);
void kofn_cuda_conv_backward_close(kofn_cuda_conv_backward* plan);

/**
 * Bytes of scratch memory on the device that the passes need; 0 if none. It begins at a multiple of 256 bytes, and each
 * run has its own.
 */
int64_t kofn_cuda_conv_backward_data_workspace(const kofn_cuda_conv_backward* plan);
int64_t kofn_cuda_conv_backward_weights_workspace(const kofn_cuda_conv_backward* plan);

/**
 * What was chosen, for reports: for instance "data direct 16x8x7x8, weights direct 64x8x7x8 in 32 parts, fp32", in the
 * words of kofn_cuda_conv_describe. Valid as long as the plan.
 */
const char* kofn_cuda_conv_backward_describe(const kofn_cuda_conv_backward* plan);

/**
 * grad_input = dx, asynchronously on `stream` (a cudaStream_t). All in device memory: weights [O/b][k][b][R][S] fp32,
 * which KOFN_BF16 rounds to bf16 as the forward pass does; the gradients fp32 or bf16 by the plan's precision.
 * KOFN_CONV_LAUNCH if CUDA refuses a launch.
 */
int32_t kofn_cuda_conv_backward_data(const kofn_cuda_conv_backward* plan, const float* weights, const void* grad_output,
                                     void* grad_input, void* workspace, void* stream);

/**
 * grad_weights [O/b][k][b][R][S] = dw, grad_bias [O] = db, both fp32, asynchronously on `stream`; grad_bias may be null.
 * input and grad_output are fp32 or bf16 by the plan's precision.
 */
int32_t kofn_cuda_conv_backward_weights(const kofn_cuda_conv_backward* plan, const void* input, const void* grad_output,
                                        float* grad_weights, float* grad_bias, void* workspace, void* stream);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
