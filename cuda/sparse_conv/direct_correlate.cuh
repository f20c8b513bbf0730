#pragma once

#include "direct_patch.cuh"

/**
 * How the gradient of a kernel is summed. A lane holds a patch of dy in registers, and correlates it with what the taps
 * read of a plane of x; eight lanes that hold patches of one output then add up what each has, in a fixed order.
 */
namespace kofn::conv {

constexpr int32_t GRADIENT_LANES = 8;

/** The sum of the eight lanes, in each of them. */
__device__ __forceinline__ float sum_of_lanes(float value) {
    for (int flip = 4; flip > 0; flip /= 2) {
        value += __shfl_xor_sync(0xFFFFFFFFu, value, flip);
    }
    return value;
}

/** Eight sums of the eight lanes, of which lane l gets that of values[l]: half of them changes hands at each step. */
__device__ __forceinline__ float sums_of_lanes(float (&values)[GRADIENT_LANES], int32_t lane) {
#pragma unroll
    for (int half = GRADIENT_LANES / 2; half > 0; half /= 2) {
        const bool upper = (lane & half) != 0;
#pragma unroll
        for (int i = 0; i < half; ++i) {
            const float away = upper ? values[i] : values[i + half];
            const float mine = upper ? values[i + half] : values[i];
            values[i] = mine + __shfl_xor_sync(0xFFFFFFFFu, away, half);
        }
    }
    return values[0];
}

/** The sums of an entry's taps in global memory; a word has one lane that reads and writes it. */
struct EntrySums {
    float* at;
    int32_t lane;
    bool there; /* whether the lane has an entry in hand */
    bool fresh; /* whether its sums begin now */

    /** What has been summed, of `count` taps from `first` on, in as many lanes. Asked for before it is needed. */
    __device__ __forceinline__ float fetch(int32_t first, int32_t count) const {
        return there && !fresh && lane < count ? at[first + lane] : 0.0f;
    }
    __device__ __forceinline__ void store(int32_t first, int32_t count, float sum) const {
        if (there && lane < count) {
            at[first + lane] = sum;
        }
    }
};

template <class Patch>
struct Correlation;

template <int STRIDE, int HEIGHT, int WIDTH>
struct Correlation<RowsPatch<STRIDE, HEIGHT, WIDTH>> {
    using Patch = RowsPatch<STRIDE, HEIGHT, WIDTH>;

    __device__ __forceinline__ static void add(const Direct&, const float (&dy)[HEIGHT][WIDTH], const float* x,
                                               const EntrySums& to) {
        const float before = to.fetch(0, 8), before_last = to.fetch(8, 1);
        float sums[8] = {}, last = 0;
#pragma unroll
        for (int row = 0; row < Patch::IN_ROWS; ++row) {
            float values[Patch::PITCH];
            Patch::load(values, x + row * Patch::PITCH);
#pragma unroll
            for (int r = 0; r < 3; ++r) {
                if ((row - r) % STRIDE == 0 && row >= r && (row - r) / STRIDE < HEIGHT) {
#pragma unroll
                    for (int w = 0; w < WIDTH; ++w) {
#pragma unroll
                        for (int s = 0; s < 3; ++s) {
                            float& sum = 3 * r + s < 8 ? sums[3 * r + s] : last;
                            sum = fmaf(dy[(row - r) / STRIDE][w], values[w * STRIDE + s], sum);
                        }
                    }
                }
            }
        }
        to.store(0, 8, before + sums_of_lanes(sums, to.lane));
        to.store(8, 1, before_last + sum_of_lanes(last));
    }
};

template <>
struct Correlation<PointsPatch> {
    __device__ __forceinline__ static void add(const Direct& d,
                                               const float (&dy)[PointsPatch::ROWS][PointsPatch::COLUMNS],
                                               const float* x, const EntrySums& to) {
        const float before = to.fetch(0, 1);
        float sum = 0;
#pragma unroll
        for (int row = 0; row < PointsPatch::ROWS; ++row) {
            const float4 four = *reinterpret_cast<const float4*>(x + row * 4 * d.lanes);
            sum = fmaf(dy[row][0], four.x, sum);
            sum = fmaf(dy[row][1], four.y, sum);
            sum = fmaf(dy[row][2], four.z, sum);
            sum = fmaf(dy[row][3], four.w, sum);
        }
        to.store(0, 1, before + sum_of_lanes(sum));
    }
};

template <>
struct Correlation<TapsPatch> {
    __device__ __forceinline__ static void add(const Direct& d, const float (&dy)[TapsPatch::ROWS][TapsPatch::COLUMNS],
                                               const float* x, const EntrySums& to) {
        const int32_t taps = d.rows * d.columns, row = d.stride_rows * d.pitch;
        int32_t s = 0;
        for (int32_t first = 0; first < taps; first += 8) {
            const int32_t count = taps - first < 8 ? taps - first : 8;
            const float before = to.fetch(first, count);
            float sums[8] = {};
#pragma unroll
            for (int t = 0; t < 8; ++t) {
                if (t < count) {
#pragma unroll
                    for (int h = 0; h < TapsPatch::ROWS; ++h) {
#pragma unroll
                        for (int w = 0; w < TapsPatch::COLUMNS; ++w) {
                            sums[t] = fmaf(dy[h][w], x[h * row + w * d.stride_columns], sums[t]);
                        }
                    }
                    ++s;
                    const bool next_row = s == d.columns;
                    x += next_row ? d.pitch - d.columns + 1 : 1;
                    s = next_row ? 0 : s;
                }
            }
            to.store(first, count, before + sums_of_lanes(sums, to.lane));
        }
    }
};

/** What a lane does for an entry: each eight taps are seven exchanges, and sums that are fetched and stored. */
template <class Patch>
DirectWork gradient_work(const Direct& d) {
    DirectWork work = Patch::work(d);
    work.reads += (d.rows * d.columns + 7) / 8 * 9;
    return work;
}

}  // namespace kofn::conv
