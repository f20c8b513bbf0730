#include "pooling.h"

#include <algorithm>

#include "../common/arithmetic.h"
#include "../sparse_conv/cpu_plan.h"

namespace kofn::conv {
namespace {

/** The part of a window that lies in the image, along one axis. */
struct Span {
    int64_t begin, end;
};

Span span_of(int64_t output, int32_t size, int32_t stride, int32_t padding, int32_t image) {
    const int64_t begin = output * stride - padding;
    return {std::max<int64_t>(begin, 0), std::min<int64_t>(begin + size, image)};
}

float load(const float* from) {
    return *from;
}

float load(const uint16_t* from) {
    return from_bfloat16(*from);
}

void store(float value, float* to) {
    *to = value;
}

void store(float value, uint16_t* to) {
    *to = to_bfloat16(value);
}

/**
 * One output of all lanes: in KOFN_BATCH16 those of sixteen images, which lie side by side, so that the inner loops
 * become vector code.
 */
template <int Lanes, bool Largest, class Element>
void pool_pixel(const kofn_pool& pool, const Element* plane, int64_t row, Span rows, Span columns, Element* to) {
    float value[Lanes];
    const Element* first = plane + rows.begin * row + columns.begin * Lanes;
    for (int l = 0; l < Lanes; ++l) {
        value[l] = Largest ? load(first + l) : 0.0f;
    }
    for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = columns.begin; w < columns.end; ++w) {
            const Element* x = plane + h * row + w * Lanes;
            for (int l = 0; l < Lanes; ++l) {
                const float other = load(x + l);
                value[l] = Largest ? (value[l] < other ? other : value[l]) : value[l] + other;
            }
        }
    }
    const float area = static_cast<float>(pool.rows) * static_cast<float>(pool.columns);
    for (int l = 0; l < Lanes; ++l) {
        store(Largest ? value[l] : value[l] / area, to + l);
    }
}

template <int Lanes, bool Largest, class Element>
void pool_plane(const kofn_pool& p, const kofn_tensor& in, const Element* from, int64_t in_row, const kofn_tensor& out,
                Element* to, int64_t out_row) {
    for (int64_t h = 0; h < out.height; ++h) {
        const Span rows = span_of(h, p.rows, p.stride_rows, p.padding_rows, in.height);
        for (int64_t w = 0; w < out.width; ++w) {
            const Span columns = span_of(w, p.columns, p.stride_columns, p.padding_columns, in.width);
            pool_pixel<Lanes, Largest>(p, from, in_row, rows, columns, to + h * out_row + w * Lanes);
        }
    }
}

/** All planes, in a tensor's way of storing them. */
template <class Element>
void pool_planes(const kofn_pool& p, const kofn_tensor& in, const Element* input, const kofn_tensor& out,
                 Element* output, int32_t threads) {
    const kofn_strides from = strides_of(in), to = strides_of(out);
    const bool batch16 = in.form == KOFN_BATCH16, largest = p.kind == KOFN_POOL_LARGEST;
    const auto run = batch16 ? (largest ? pool_plane<16, true, Element> : pool_plane<16, false, Element>)
                             : (largest ? pool_plane<1, true, Element> : pool_plane<1, false, Element>);
    const int64_t images = batch16 ? (in.batch + 15) / 16 : in.batch;
    const double floats = static_cast<double>(in.batch) * in.channels * in.height * in.width;
    for_each(that_pay(threads, floats), images * in.channels, [&](int64_t plane) {
        run(p, in, input + from.origin + plane * from.plane, from.row, out, output + to.origin + plane * to.plane,
            to.row);
    });
}

/** Whether so many outputs of one axis are those of this window. */
bool fits(int32_t image, int32_t size, int32_t stride, int32_t padding, int32_t outputs) {
    const int64_t room = int64_t{image} + 2 * int64_t{padding} - size;
    return size >= 1 && stride >= 1 && padding >= 0 && padding <= size / 2 && room >= 0 && room / stride + 1 == outputs;
}

}  // namespace
}  // namespace kofn::conv

using namespace kofn::conv;

int32_t kofn_cpu_pool_run(const kofn_pool* pool, const kofn_tensor* input_tensor, const void* input,
                          const kofn_tensor* output_tensor, void* output, int32_t threads) {
    if (pool == nullptr || input == nullptr || output == nullptr) {
        return KOFN_CONV_NULL;
    }
    kofn_strides from, to;
    int32_t status = kofn_tensor_strides(input_tensor, &from);
    status = status != KOFN_CONV_OK ? status : kofn_tensor_strides(output_tensor, &to);
    if (status != KOFN_CONV_OK) {
        return status;
    }
    const kofn_tensor &in = *input_tensor, &out = *output_tensor;
    const kofn_pool& p = *pool;
    if ((p.kind != KOFN_POOL_LARGEST && p.kind != KOFN_POOL_MEAN)
        || !fits(in.height, p.rows, p.stride_rows, p.padding_rows, out.height)
        || !fits(in.width, p.columns, p.stride_columns, p.padding_columns, out.width)) {
        return KOFN_CONV_SHAPE;
    }
    if (in.form != out.form || in.precision != out.precision || in.batch != out.batch || in.channels != out.channels) {
        return KOFN_CONV_LAYOUT;
    }
    if (threads < 1 || threads > most_threads) {
        return KOFN_CONV_THREADS;
    }
    if (in.precision == KOFN_BF16) {
        pool_planes(p, in, static_cast<const uint16_t*>(input), out, static_cast<uint16_t*>(output), threads);
    } else {
        pool_planes(p, in, static_cast<const float*>(input), out, static_cast<float*>(output), threads);
    }
    return KOFN_CONV_OK;
}
