#pragma once

#include "../emulation/cuda_or_emulation.h"
#include "../common/arithmetic.h"
#include "direct.h"

/**
 * The patches of the direct method: how a lane adds an entry of a list to its outputs. Sums run over entries, then rows,
 * then columns of the kernel, whatever the patch. Products are fused with sums, by name: fusing at will is off.
 *
 * A multiprocessor does 128 multiplications a clock and reads 32 floats of shared memory: a float must serve four of
 * them. Lanes that lie 4 or 8 floats apart read whole vectors of four without conflicts, and anything less at the price
 * of one, so that large patches with wide rows come off best. 7 rows of 8 outputs take (7 + 2) · 3 reads for 504
 * multiplications, and fit planes of 7, 14, 28, 56 … as 8 rows fit powers of two.
 */
namespace kofn::conv {

__device__ __forceinline__ int32_t bits_of_place(float x) {
    return static_cast<int32_t>(float_bits(x));
}

/** 3×3 kernels at stride 1 or 2: each row that is read serves up to three rows of outputs. */
template <int STRIDE, int HEIGHT, int WIDTH>
struct RowsPatch {
    static constexpr int ROWS = HEIGHT, COLUMNS = WIDTH;
    static constexpr int IN_ROWS = (HEIGHT - 1) * STRIDE + 3, IN_COLUMNS = (WIDTH - 1) * STRIDE + 3;
    static constexpr int PITCH = (IN_COLUMNS + 3) / 4 * 4;
    static_assert(IN_COLUMNS % 4 < 3, "rows are loaded in fours, then two or one");

    /** Nine weights and the place, fetched an entry ahead. */
    struct Record {
        float words[12];

        __device__ __forceinline__ void fetch(const Direct&, const float* record) {
            const float4* from = reinterpret_cast<const float4*>(record);
#pragma unroll
            for (int i = 0; i < 3; ++i) {
                const float4 four = from[i];
                words[4 * i] = four.x;
                words[4 * i + 1] = four.y;
                words[4 * i + 2] = four.z;
                words[4 * i + 3] = four.w;
            }
        }
        __device__ __forceinline__ int32_t place(const Direct&) const { return bits_of_place(words[9]); }
    };

    /** From patch to patch an odd number of vectors, so that eight lanes meet all banks. */
    static void lay_out(Direct& d) {
        d.in_rows = IN_ROWS;
        d.in_columns = IN_COLUMNS;
        d.pitch = PITCH;
        d.patch_words = IN_ROWS * PITCH / 8 * 8 + 4;
        d.record = 12;
    }
    static DirectWork work(const Direct&) { return {9 * ROWS * COLUMNS, IN_ROWS * IN_COLUMNS}; }

    __device__ __forceinline__ static int32_t base(const Direct& d, int32_t patch) { return patch * d.patch_words; }

    __device__ __forceinline__ static void add(const Direct&, float (&sums)[ROWS][COLUMNS], const Record& record,
                                               const float*, const float* x) {
#pragma unroll
        for (int row = 0; row < IN_ROWS; ++row) {
            float values[PITCH];
            load(values, x + row * PITCH);
#pragma unroll
            for (int r = 0; r < 3; ++r) {
                if ((row - r) % STRIDE == 0 && row >= r && (row - r) / STRIDE < ROWS) {
#pragma unroll
                    for (int s = 0; s < 3; ++s) {
#pragma unroll
                        for (int w = 0; w < COLUMNS; ++w) {
                            float& sum = sums[(row - r) / STRIDE][w];
                            sum = fmaf(record.words[3 * r + s], values[w * STRIDE + s], sum);
                        }
                    }
                }
            }
        }
    }

    __device__ __forceinline__ static void load(float (&values)[PITCH], const float* x) {
#pragma unroll
        for (int i = 0; i + 4 <= IN_COLUMNS; i += 4) {
            const float4 four = *reinterpret_cast<const float4*>(x + i);
            values[i] = four.x;
            values[i + 1] = four.y;
            values[i + 2] = four.z;
            values[i + 3] = four.w;
        }
        if constexpr (IN_COLUMNS % 4 == 1) {
            values[IN_COLUMNS - 1] = x[IN_COLUMNS - 1];
        } else if constexpr (IN_COLUMNS % 4 == 2) {
            const float2 two = *reinterpret_cast<const float2*>(x + IN_COLUMNS - 2);
            values[IN_COLUMNS - 2] = two.x;
            values[IN_COLUMNS - 1] = two.y;
        }
    }
};

/**
 * 1×1 kernels: sixteen outputs, four times four neighbours; the lanes of a list lie side by side. Nothing is read twice,
 * and strides and padding are a matter of staging. Shared memory is the limit, at a quarter of the multiplications.
 */
struct PointsPatch {
    static constexpr int ROWS = 4, COLUMNS = 4;

    struct Record {
        float weight;
        int32_t at;

        __device__ __forceinline__ void fetch(const Direct&, const float* record) {
            const float2 two = *reinterpret_cast<const float2*>(record);
            weight = two.x;
            at = bits_of_place(two.y);
        }
        __device__ __forceinline__ int32_t place(const Direct&) const { return at; }
    };

    static void lay_out(Direct& d) {
        d.patch_words = 16;
        d.record = 2;
    }
    static DirectWork work(const Direct&) { return {16, 16}; }

    __device__ __forceinline__ static int32_t base(const Direct&, int32_t patch) { return 4 * patch; }

    __device__ __forceinline__ static void add(const Direct& d, float (&sums)[ROWS][COLUMNS], const Record& record,
                                               const float*, const float* x) {
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
            const float4 four = *reinterpret_cast<const float4*>(x + row * 4 * d.lanes);
            sums[row][0] = fmaf(record.weight, four.x, sums[row][0]);
            sums[row][1] = fmaf(record.weight, four.y, sums[row][1]);
            sums[row][2] = fmaf(record.weight, four.z, sums[row][2]);
            sums[row][3] = fmaf(record.weight, four.w, sums[row][3]);
        }
    }
};

/** Any kernel and strides: a read for each multiplication. */
struct TapsPatch {
    static constexpr int ROWS = 4, COLUMNS = 2;

    struct Record {
        int32_t at;

        __device__ __forceinline__ void fetch(const Direct& d, const float* record) {
            at = bits_of_place(record[d.rows * d.columns]);
        }
        __device__ __forceinline__ int32_t place(const Direct&) const { return at; }
    };

    /** From patch to patch an odd number of words. */
    static void lay_out(Direct& d) {
        d.in_rows = (ROWS - 1) * d.stride_rows + d.rows;
        d.in_columns = (COLUMNS - 1) * d.stride_columns + d.columns;
        d.pitch = d.in_columns;
        d.patch_words = d.in_rows * d.pitch | 1;
        d.record = d.rows * d.columns + 1;
    }
    static DirectWork work(const Direct& d) {
        const int32_t products = ROWS * COLUMNS * d.rows * d.columns;
        return {products, products};
    }

    __device__ __forceinline__ static int32_t base(const Direct& d, int32_t patch) { return patch * d.patch_words; }

    __device__ __forceinline__ static void add(const Direct& d, float (&sums)[ROWS][COLUMNS], const Record&,
                                               const float* weights, const float* x) {
        const int32_t row = d.stride_rows * d.pitch;
        for (int32_t r = 0; r < d.rows; ++r) {
            for (int32_t s = 0; s < d.columns; ++s) {
                const float weight = *weights++;
                const float* from = x + r * d.pitch + s;
#pragma unroll
                for (int h = 0; h < ROWS; ++h) {
#pragma unroll
                    for (int w = 0; w < COLUMNS; ++w) {
                        sums[h][w] = fmaf(weight, from[h * row + w * d.stride_columns], sums[h][w]);
                    }
                }
            }
        }
    }
};

}  // namespace kofn::conv
