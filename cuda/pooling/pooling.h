#pragma once

#include <stdint.h>

#include "../sparse_conv/sparse_conv.h"

/**
 * Pooling of padded tensors: each output is the largest or the mean of a window of R×S pixels of its channel. It stands
 * between convolutions so that their values need not leave the padded layout; networks spend little time in it as long
 * as they do not change layouts for it.
 *
 *   largest: of the window's pixels that lie in the image; at least one does, as padding is at most half a window
 *   mean:    the sum of those pixels over R·S, so that zeros around the image count as pixels
 *
 * The floor: every element of the input is read and every one of the output written once, 4 bytes each, or 2 in bf16,
 * whose means are rounded once; R·S·H'·W'
 * comparisons or additions a channel. Sums run along rows, then down; the bits depend on nothing but the window.
 */
enum kofn_pool_kind { KOFN_POOL_LARGEST = 0, KOFN_POOL_MEAN = 1 };

/** A window that slides over every channel, dilation 1. */
typedef struct kofn_pool {
    int32_t kind;                          /* kofn_pool_kind */
    int32_t rows, columns;                 /* R and S, from 1 to the padded image's size */
    int32_t stride_rows, stride_columns;   /* at least 1 */
    int32_t padding_rows, padding_columns; /* 0 … R/2 and S/2 */
} kofn_pool;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * output = pooled input; tensors of one form, precision, batch and number of channels, output sizes rounded down. Returns a
 * kofn_conv_status; a refused call has written nothing. Allocates nothing.
 */
int32_t kofn_cpu_pool_run(const kofn_pool* pool, const kofn_tensor* input_tensor, const void* input,
                          const kofn_tensor* output_tensor, void* output, int32_t threads);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
