#pragma once

#include <stdint.h>

#include "../common/layer.h"

/**
 * Gumbel top-k: samples masks that keep exactly k of n candidates in every group, for all layers of a network in one
 * call, and computes the gradient of the relaxed sample in another. Dynamic Probabilistic Pruning (Gonzalez-Carabarin
 * et al., IEEE TNNLS 2024, arXiv:2105.12686); sampling without replacement as in Xie and Ermon, IJCAI 2019.
 *
 * Forward, per group: y = φ + s·g; the k largest y stay, ties to the lowest candidate. g is Gumbel noise, word
 * (candidate mod 4) of Philox(seed; candidate/4, group, step, layer) through kofn::gumbel. Noise of scale 0 is not
 * drawn: that call freezes a mask, or selects by any score.
 *
 * Backward regenerates y, so that nothing but the mask is kept between the calls. With s = y/τ, the kept candidates in
 * descending order of y (ties: lowest candidate first) s₁ ≥ … ≥ s_k, and v_j = Σ_elements ∂L/∂Weff·W:
 *
 *   losers    w_j = exp(s_j − s_k),  D' = Σ w_j,  Y = Σ w_j (v_k − v_j)
 *   suffix    t = k: D = 1 + D',  X = Y/D
 *             t < k: M = exp(s_{t+1} − s_t)·D_{t+1},  D_t = 1 + M,  X_t = (M/D_t)·((v_t − v_{t+1}) + X_{t+1})
 *   prefix    t = 1: C = 1/D,  U = X/D
 *             t > 1: a = exp(s_t − s_{t−1}),  C_t = 1/D_t + a·C_{t−1},  U_t = X_t/D_t + a·((v_t − v_{t−1})·C_{t−1} + U_{t−1})
 *   ∂L/∂s     kept: u_t = U_t;  others: u_j = w_j·((v_j − v_k)·C_k + U_k)
 *   ∂L/∂φ_j = u_j/τ − β·p_j·(log p_j + H),  p = softmax φ, H its entropy
 *   ∂L/∂τ = −(1/τ)·Σ u_j·s_j, computed as −(1/τ)·Σ u_j·(s_j − s_k), which is the same since Σ u_j = 0
 *   ∂L/∂W = ∂L/∂Weff if dense_gradient, else M ⊙ ∂L/∂Weff
 *
 * All exponents are ≤ 0 and only differences of v appear: the textbook form, "the normaliser minus what was drawn",
 * loses every digit in single precision at τ ≤ ½.
 *
 * The floor. With N = G·n candidates of E elements, fp32: forward moves 4N (φ) + 8NE (W, Weff) + N (mask) + N/8 (bits)
 * + 4Gk (indices) bytes, backward 4N (φ) + 8NE (W, ∂L/∂Weff) + 4N (∂L/∂φ) + 4Gk bytes, and 4NE more for ∂L/∂W. At 4.8
 * TB/s (H200) the 1.63 M kernel logits of VGG16's convolutions need 26 µs forward, nearly all of it for the 9 weights
 * behind each logit. Arithmetic a candidate, forward: Philox 5 wide multiplications and 15 other integer operations,
 * noise 44 operations, selection some 20: with E = 1 it is arithmetic, not memory, that a GPU waits for.
 *
 * All functions are deterministic: no atomics on floats, no dependence on threads, blocks or their order. Masks are
 * equal bit for bit between all implementations.
 */
typedef struct kofn_draw {
    uint64_t seed;
    uint32_t step;
    float temperature;      /* τ > 0 */
    float noise;            /* s ≥ 0 */
    float entropy;          /* β */
    int32_t dense_gradient; /* whether dropped weights have a gradient */
} kofn_draw;

/**
 * What the calls return: 0; i > 0: a score of layer i (counted from 1) is infinite or NaN; −i: the description of layer
 * i is refused (k outside 1 … n, n outside 1 … 2²⁰, a null pointer, an unknown type; on a GPU also a negative stride, or
 * 2³¹ weights and more, since indices are of 32 bits there). A refused call has written nothing; after a score
 * that is not finite, what was written is undefined but for that it lies within the given tensors.
 */
typedef int32_t kofn_status;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default) /* everything else in the libraries is hidden */

/** Masks, indices and effective weights of all layers, on the CPU with so many threads. */
kofn_status kofn_cpu_sample(const kofn_layer* layers, int32_t count, const kofn_draw* draw, int32_t threads);

/** Gradients of the last kofn_cpu_sample with the same draw, logits and weights. */
kofn_status kofn_cpu_sample_backward(const kofn_layer* layers, int32_t count, const kofn_draw* draw, int32_t threads);

/** effective = M ⊙ W with `mask` as it is; reads latent and mask, writes effective, and nothing else. */
kofn_status kofn_cpu_apply(const kofn_layer* layers, int32_t count, int32_t threads);

/** latent_gradient = M ⊙ ∂L/∂Weff, or with `dense` ∂L/∂Weff; reads mask and effective_gradient. */
kofn_status kofn_cpu_apply_backward(const kofn_layer* layers, int32_t count, int32_t dense, int32_t threads);

/** Which variant runs: "avx512", "avx2" or "portable". */
const char* kofn_cpu_variant(void);

/** Makes a variant run, for tests; 0 if this processor or this build does not have it. */
int32_t kofn_cpu_use_variant(const char* name);

/** What the calls on one GPU need besides tensors: a table of layers, scratch memory, a word that reports status. */
typedef struct kofn_cuda_context kofn_cuda_context;

/** A context on the current device; null if that fails: see kofn_cuda_error. */
kofn_cuda_context* kofn_cuda_open(void);
void kofn_cuda_close(kofn_cuda_context* context);

/** The same calls on a CUDA stream (a cudaStream_t). They return without waiting, −2147483648 after a CUDA error. */
kofn_status kofn_cuda_sample(kofn_cuda_context* context, const kofn_layer* layers, int32_t count, const kofn_draw* draw,
                             void* stream);
kofn_status kofn_cuda_sample_backward(kofn_cuda_context* context, const kofn_layer* layers, int32_t count,
                                      const kofn_draw* draw, void* stream);
kofn_status kofn_cuda_apply(kofn_cuda_context* context, const kofn_layer* layers, int32_t count, void* stream);
kofn_status kofn_cuda_apply_backward(kofn_cuda_context* context, const kofn_layer* layers, int32_t count, int32_t dense,
                                     void* stream);

/**
 * The status (as above) of the samples whose work has ended by now, and clears it; with `wait`, of all on the stream.
 */
kofn_status kofn_cuda_status(kofn_cuda_context* context, int32_t wait, void* stream);

/** The words of the last CUDA error on this thread; empty if there was none. */
const char* kofn_cuda_error(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
