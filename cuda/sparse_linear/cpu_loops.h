#pragma once

#include "cpu_sums.h"

/** The loops of the three methods. Part of sparse_linear_cpu_variant.cpp. */
namespace kofn::linear::KOFN_VARIANT {

template <int Lanes, class Index, class Weight>
void run_single(const Task& task) {
    const int64_t size = task.kept * Lanes;
    for (int64_t set = task.first_set; set < task.last_set; ++set) {
        for (int64_t image = 0; image < task.count; ++image) {
            const float* x = task.x + image * task.in_image;
            const Index* at = static_cast<const Index*>(task.indices) + set * size;
            const Weight* w = static_cast<const Weight*>(task.weights) + set * size;
            Vector<Lanes> sum{};
            for (int64_t i = 0; i < task.kept; ++i, at += Lanes, w += Lanes) {
                sum += inputs<Lanes>(x, at) * load<Lanes>(w);
            }
            finish<Lanes, Weight>(task, set, image, lanes_of<Lanes>(task, set), sum);
        }
    }
}

/** Outputs at once: with Vectors vectors of images, so many that their sums stay in registers. */
template <int Lanes, int Vectors, class Index, class Weight>
void run_images(const Task& task) {
    constexpr int at_once = Lanes > 4 ? Lanes / Vectors : Lanes;
    constexpr int width = Vectors * Lanes;
    alignas(64) float sums[Lanes][width];
    for (int64_t set = task.first_set; set < task.last_set; ++set) {
        for (int first = 0; first < Lanes; first += at_once) {
            const Index* at = static_cast<const Index*>(task.indices) + set * task.kept * Lanes + first;
            const Weight* w = static_cast<const Weight*>(task.weights) + set * task.kept * Lanes + first;
            Vector<Lanes> sum[at_once][Vectors] = {};
            for (int64_t i = 0; i < task.kept; ++i, at += Lanes, w += Lanes) {
                KOFN_UNROLL
                for (int o = 0; o < at_once; ++o) {
                    const Vector<Lanes> factor = broadcast<Lanes>(single(w + o));
                    const float* x = task.x + int64_t{at[o]} * width;
                    KOFN_UNROLL
                    for (int v = 0; v < Vectors; ++v) {
                        sum[o][v] += load<Lanes>(x + v * Lanes) * factor;
                    }
                }
            }
            std::memcpy(sums[first], sum, sizeof(sum));
        }
        for (int64_t first = 0; first < task.count; first += 4) {
            alignas(64) float rows[4][Lanes];
            for (int o = 0; o < Lanes; o += 4) {
                transpose4(&sums[o][first], width, &rows[0][o], Lanes);
            }
            for (int64_t image = first; image < task.count && image < first + 4; ++image) {
                finish<Lanes, Weight>(task, set, image, lanes_of<Lanes>(task, set), load<Lanes>(rows[image - first]));
            }
        }
    }
}

/** Sets that have one list, for some images: a loaded weight serves all images, a broadcast input all sets. */
template <int Lanes, int Sets, int Images, class Index, class Weight>
void shared_tile(const Task& task, int64_t set, int64_t image) {
    const Index* at = static_cast<const Index*>(task.indices) + set / task.sets_of_list * task.kept;
    const int64_t size = task.kept * Lanes;
    const Weight* w = static_cast<const Weight*>(task.weights) + set * size;
    const float* x = task.x + image * task.in_image;
    Vector<Lanes> sum[Images][Sets] = {};
    for (int64_t i = 0; i < task.kept; ++i, w += Lanes) {
        Vector<Lanes> factor[Sets];
        KOFN_UNROLL
        for (int s = 0; s < Sets; ++s) {
            factor[s] = load<Lanes>(w + s * size);
        }
        KOFN_UNROLL
        for (int m = 0; m < Images; ++m) {
            const Vector<Lanes> input = broadcast<Lanes>(x[m * task.in_image + at[i]]);
            KOFN_UNROLL
            for (int s = 0; s < Sets; ++s) {
                sum[m][s] += input * factor[s];
            }
        }
    }
    for (int m = 0; m < Images; ++m) {
        for (int s = 0; s < Sets; ++s) {
            finish<Lanes, Weight>(task, set + s, image + m, all_lanes<Lanes>, sum[m][s]);
        }
    }
}

template <int Lanes, int Sets, class Index, class Weight>
void shared_images(const Task& task, int64_t set) {
    int64_t image = 0;
    for (; image + 4 <= task.count; image += 4) {
        shared_tile<Lanes, Sets, 4, Index, Weight>(task, set, image);
    }
    for (; image < task.count; ++image) {
        shared_tile<Lanes, Sets, 1, Index, Weight>(task, set, image);
    }
}

template <int Lanes, class Index, class Weight>
void run_shared(const Task& task) {
    constexpr int most = Lanes == 16 ? 4 : 2;  // with four images, as many sums as fit in registers
    for (int64_t set = task.first_set; set < task.last_set;) {
        const int64_t of_list = task.sets_of_list - set % task.sets_of_list;
        if (of_list >= most && task.last_set - set >= most) {
            shared_images<Lanes, most, Index, Weight>(task, set);
            set += most;
        } else {
            shared_images<Lanes, 1, Index, Weight>(task, set);
            ++set;
        }
    }
}

}  // namespace kofn::linear::KOFN_VARIANT
