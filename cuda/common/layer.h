#pragma once

#include <stdint.h>

/**
 * How a weight is seen as groups of candidates of elements: the plain C side of org.kofn.mask.MaskLayout. All sizes and
 * strides count weights, not bytes. Unused axes have size 1 and stride 0.
 *
 *   offset(g, c, e) = Σ gᵢ·group_strides[i] + c·candidate_stride + Σ eᵢ·element_strides[i]
 *
 * where g is split over group_sizes with the last axis fastest, and e likewise.
 *
 *   weight   G = (O/b),             c: 1,   e: (b: I·R·S)              kernel   G = (O/b), c: R·S, e: (b: I·R·S), (R·S: 1)
 *   n:m      G = (O/b, I/m, R·S),   c: R·S, e: (b: I·R·S)              filter   G = (1),   c: I·R·S, e: (I·R·S: 1)
 */
typedef struct kofn_layout {
    int64_t group_sizes[3];
    int64_t group_strides[3];
    int64_t candidates;
    int64_t candidate_stride;
    int64_t element_sizes[2];
    int64_t element_strides[2];
} kofn_layout;

/** Types of the effective weight; everything else is single precision. */
enum kofn_type { KOFN_FLOAT32 = 0, KOFN_BFLOAT16 = 1 };

/**
 * One pruned layer. Pointers are to the memory of the device that the call runs on; those marked ? may be null, and are
 * then neither read nor written. G = product of group_sizes, n = candidates, words = ⌈n/32⌉.
 */
typedef struct kofn_layer {
    kofn_layout layout;
    int64_t kept;          /* k, 1 ≤ k ≤ n ≤ 2²⁰ */
    uint32_t index;        /* the layer's number: last word of the random counter */
    int32_t effective_type; /* kofn_type of effective and effective_gradient */

    const float* logits; /* φ [G, n] */
    const float* latent; /* W, weight-shaped */
    void* effective;     /* M ⊙ W, weight-shaped; dropped weights are +0 */
    uint8_t* mask;       /* M [G, n], 0 or 1 */
    uint32_t* bits;      /* M [G, words], candidate c is bit c mod 32 of word c/32; spare bits are 0 */
    int32_t* indices;    /* kept candidates [G, k], ascending */

    const void* effective_gradient; /* ∂L/∂Weff, weight-shaped */
    float* latent_gradient;         /* ? ∂L/∂W, weight-shaped; what apply_backward is for, so not null there */
    float* logit_gradient;          /* ∂L/∂φ [G, n] */
    float* temperature_gradient;    /* ? ∂L/∂τ, one a group [G] */
} kofn_layer;
