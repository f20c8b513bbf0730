#pragma once

#include "sparse_conv.h"

/**
 * Gradients of the k-out-of-n sparse convolution of sparse_conv.h whose mask does not change: what a step of fine-tuning
 * needs beside the forward pass. With dy = ∂L/∂y, of the convolution without activation and residual:
 *
 *   data     dx[c, y, x] = Σ_{(o,i): indices[o/b][i] = c} Σ_{r,s} weights[o/b][i][o mod b][r, s]
 *                          · dy[o, (y + padding − r)/stride, (x + padding' − s)/stride'],   where these are whole
 *   weights  dw[o/b][i][o mod b][r, s] = Σ_{image,h,w} dy[o, h, w]
 *                          · x[indices[o/b][i], h·stride − padding + r, w·stride' − padding' + s]
 *   bias     db[o] = Σ_{image,h,w} dy[o, h, w]
 *
 * Dropped kernels get no gradient: each pass does the 2·N·O·k·R·S·H'·W' useful operations of the forward pass, where a
 * dense one does n/k times as many. Floors: `data` moves 4·N·(O·H'·W' + n·H·W) bytes of activations, `weights` the same
 * once more; both move the weights once.
 *
 * The lists say which inputs an output reads; `data` needs for each input the outputs that read it. These transposed
 * lists are made once, by counting, and differ in length; inputs are sorted by length, so that those that run in
 * lock-step have lists of nearly one length. With a stride, the pixels of dx that lie a stride apart are a convolution
 * of stride 1 with the taps that hit them (as sub-pixel convolutions have it), one for each remainder.
 *
 * Sums. `data`: over outputs ascending, then taps backwards, in one accumulator; its bits depend on what the forward
 * pass's depend on. `weights`: over parts of the batch, whose number follows from the shape alone, then in vectors;
 * its bits depend also on the variant, form and batch, and never on the number of threads.
 * Error bounds: c·ε·√K·Σ|a||b| over the K terms of each sum, c = 4.
 *
 * All memory of input and dy must be finite, padding included (kofn_cpu_tensor_clear): lanes that do not count are
 * multiplied by zero.
 */

/** The backward passes made ready for one mask and one shape of input. Values of weights come with every call. */
typedef struct kofn_conv_backward kofn_conv_backward;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * Makes a plan for the variant that runs now; `input` and `output` are the layouts of the forward pass, and those of
 * their gradients. The weights and bias of `conv` are not read and may be null; its activation must be KOFN_IDENTITY,
 * for dy is what comes from behind it, and the tensors fp32 (else KOFN_CONV_SHAPE). *plan is written only on success.
 */
int32_t kofn_cpu_conv_backward_open(const kofn_conv* conv, const kofn_tensor* input, const kofn_tensor* output,
                                    int32_t threads, kofn_conv_backward** plan);
void kofn_cpu_conv_backward_close(kofn_conv_backward* plan);

/** Floats of scratch memory that the passes need, which begins at a multiple of 64 bytes; each run has its own. */
int64_t kofn_cpu_conv_backward_data_workspace(const kofn_conv_backward* plan);
int64_t kofn_cpu_conv_backward_weights_workspace(const kofn_conv_backward* plan);

/** What was chosen, for reports: for instance "data rows 1x8x2 of 16 lanes, weights rows 7 of 16 lanes, avx512". */
const char* kofn_cpu_conv_backward_describe(const kofn_conv_backward* plan);

/**
 * grad_input = dx, of all channels of the convolution. weights: [O/b][k][b][R][S]. With a halo of the output smaller
 * than R − 1 − padding, dy is first copied to the workspace.
 */
int32_t kofn_cpu_conv_backward_data(const kofn_conv_backward* plan, const float* weights, const float* grad_output,
                                    float* grad_input, float* workspace, int32_t threads);

/** grad_weights [O/b][k][b][R][S] = dw, grad_bias [O] = db; grad_bias may be null. */
int32_t kofn_cpu_conv_backward_weights(const kofn_conv_backward* plan, const float* input, const float* grad_output,
                                       float* grad_weights, float* grad_bias, float* workspace, int32_t threads);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
