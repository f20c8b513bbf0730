#pragma once

#include "sparse_conv.h"

/**
 * The convolutions of sparse_conv.h on NVIDIA GPUs. Tensors are plain, [batch, channels, height, width] without gaps, as
 * LibTorch has them: a kernel stages its input in shared memory, and writes the zeros of the padding there.
 *
 * Two methods. With a list for each output, tensor cores have nothing to do, for their rows would have to share inputs;
 * the direct method computes on FFMA units, each loaded patch of a channel being used by all taps. With lists that 16 or
 * more outputs share, rows of a matrix product share their inputs: the gathered method runs on tensor cores
 * (`mma.sync`), in tf32 or bf16.
 *
 * The floor is that of sparse_conv.h, with 2 bytes for each activation and weight in bf16; an H200 moves 4.8 TB/s and
 * does 67 (fp32), 494 (tf32) and 989 (bf16) dense TFLOP/s.
 */

/** A convolution made ready for one device: weights and lists packed and uploaded. */
typedef struct kofn_cuda_conv_plan kofn_cuda_conv_plan;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * Makes a plan on the current device for inputs [batch, conv->inputs, height, width]. The arrays of `conv` are in the
 * host's memory, fp32 also for bf16, and are not kept. Waits for the upload. *plan is written only on success.
 * KOFN_CONV_SHAPE also for an unknown precision, or a tensor of 2³¹ elements or more; KOFN_CONV_MEMORY if the device has
 * too little.
 */
int32_t kofn_cuda_conv_open(const kofn_conv* conv, int32_t batch, int32_t precision, kofn_cuda_conv_plan** plan);
void kofn_cuda_conv_close(kofn_cuda_conv_plan* plan);

/**
 * Other values for the same lists, for training, asynchronously on `stream`: weights [O/b][k][b][R][S], fp32, in device
 * memory. The bias stays. Runs on other streams must have ended. KOFN_CONV_SHAPE for the gathered method.
 */
int32_t kofn_cuda_conv_set_weights(kofn_cuda_conv_plan* plan, const float* weights, void* stream);

/** Bytes of scratch memory on the device that a run needs; 0 if none. It begins at a multiple of 256 bytes. */
int64_t kofn_cuda_conv_workspace(const kofn_cuda_conv_plan* plan);

/** Bytes that the plan holds on the device. */
int64_t kofn_cuda_conv_bytes(const kofn_cuda_conv_plan* plan);

/**
 * What was chosen, for reports: for instance "direct 32x8x7x8, fp32", whose blocks compute 32 outputs of 8 patches of
 * 7 × 8 pixels, or "gathered 128x64, bf16", 128 outputs of 64 pixels. Valid as long as the plan.
 */
const char* kofn_cuda_conv_describe(const kofn_cuda_conv_plan* plan);

/**
 * output = the convolution of input, asynchronously on `stream` (a cudaStream_t). `residual` has the shape of the output
 * and may be the output itself, or null. All in device memory, fp32 or bf16 by the plan's precision. Bits do not depend
 * on the grid. KOFN_CONV_LAUNCH if CUDA refuses a launch.
 */
int32_t kofn_cuda_conv_run(const kofn_cuda_conv_plan* plan, const void* input, void* output, const void* residual,
                           void* workspace, void* stream);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
