#include <algorithm>
#include <cstring>
#include <type_traits>

#include "../common/arithmetic.h"
#include "cpu_plan.h"

/** Padded tensors: where their elements lie, and the ways in and out. */
namespace kofn::conv {
namespace {

constexpr int64_t group = 16; /* images innermost in KOFN_BATCH16, and floats of a cache line */
constexpr int64_t most = int64_t{1} << 20;

int64_t round_up(int64_t x, int64_t multiple) {
    return (x + multiple - 1) / multiple * multiple;
}

bool has_size(int32_t x) {
    return x >= 1 && x <= most;
}

int64_t floats_of_pixel(const kofn_tensor& tensor) {
    return tensor.form == KOFN_BATCH16 ? group : 1;
}

/** Images, or groups of sixteen. */
int64_t images_of(const kofn_tensor& tensor) {
    return tensor.form == KOFN_BATCH16 ? (tensor.batch + group - 1) / group : tensor.batch;
}

/** Where the elements of any tensor lie, plain ones too: some images innermost, then columns, rows, planes. */
struct Access {
    int64_t pixel = 1; /* images innermost */
    kofn_strides strides{};
    bool bf16 = false;
};

Access plain_access(const kofn_tensor& t) {
    const int64_t plane = int64_t{t.height} * t.width;
    return {1, {0, t.width, plane, plane * t.channels, 0}, false};
}

void set(float& to, float from) {
    to = from;
}

void set(float& to, uint16_t from) {
    to = from_bfloat16(from);
}

void set(uint16_t& to, float from) {
    to = to_bfloat16(from);
}

void set(uint16_t& to, uint16_t from) {
    to = from;
}

template <class From, class To>
void copy_elements(const kofn_tensor& t, const Access& from, const From* source, const Access& to, To* target,
                   int32_t threads) {
    const int64_t images = (t.batch + to.pixel - 1) / to.pixel;
    const double floats = static_cast<double>(images) * to.pixel * t.channels * t.height * t.width;
    for_each(that_pay(threads, floats), images * t.channels, [&](int64_t task) {
        const int64_t image = task / t.channels, channel = task % t.channels;
        To* plane = target + to.strides.origin + image * to.strides.image + channel * to.strides.plane;
        for (int64_t lane = 0; lane < to.pixel; ++lane) {
            const int64_t of_batch = image * to.pixel + lane;
            const From* other = source + from.strides.origin + of_batch / from.pixel * from.strides.image
                + channel * from.strides.plane + of_batch % from.pixel;
            for (int64_t h = 0; h < t.height; ++h) {
                To* row = plane + h * to.strides.row + lane;
                const From* values = other + h * from.strides.row;
                if (of_batch >= t.batch) {
                    for (int64_t w = 0; w < t.width; ++w) {
                        row[w * to.pixel] = To{};
                    }
                } else if (std::is_same_v<From, To> && from.pixel == 1 && to.pixel == 1) {
                    std::memcpy(row, values, static_cast<size_t>(t.width) * sizeof(To));
                } else {
                    for (int64_t w = 0; w < t.width; ++w) {
                        set(row[w * to.pixel], values[w * from.pixel]);
                    }
                }
            }
        }
    });
}

/** Copies all elements. Lanes of the target without an image become zero. */
void copy(const kofn_tensor& t, const Access& from, const void* source, const Access& to, void* target,
          int32_t threads) {
    const auto* floats = static_cast<const float*>(source);
    const auto* halves = static_cast<const uint16_t*>(source);
    if (to.bf16) {
        auto* target_halves = static_cast<uint16_t*>(target);
        from.bf16 ? copy_elements(t, from, halves, to, target_halves, threads)
                  : copy_elements(t, from, floats, to, target_halves, threads);
    } else {
        auto* target_floats = static_cast<float*>(target);
        from.bf16 ? copy_elements(t, from, halves, to, target_floats, threads)
                  : copy_elements(t, from, floats, to, target_floats, threads);
    }
}

/** Zeros wherever there is no element. */
template <class Element>
void clear(const kofn_tensor& tensor, const kofn_strides& s, Element* data, int32_t threads) {
    const int64_t planes = images_of(tensor) * tensor.channels;
    const int64_t elements = tensor.width * floats_of_pixel(tensor);
    std::fill(data, data + s.origin, Element{});
    // From the end of each row to the beginning of the next, wherever that is.
    for_each(threads, planes, [&](int64_t plane) {
        Element* from = data + s.origin + plane * s.plane;
        Element* next = plane + 1 < planes ? from + s.plane : data + s.elements;
        for (int64_t h = 0; h < tensor.height; ++h, from += s.row) {
            std::fill(from + elements, h + 1 < tensor.height ? from + s.row : next, Element{});
        }
    });
}

/** Whether a copy into or out of a tensor is in order; says then where its elements lie. */
int32_t check_copy(const kofn_tensor* tensor, const void* source, const void* target, int32_t threads,
                   Access& access) {
    const int32_t status = kofn_tensor_strides(tensor, &access.strides);
    if (status != KOFN_CONV_OK) {
        return status;
    }
    access.pixel = floats_of_pixel(*tensor);
    access.bf16 = tensor->precision == KOFN_BF16;
    return source == nullptr || target == nullptr ? KOFN_CONV_NULL
         : threads < 1 || threads > most_threads ? KOFN_CONV_THREADS
                                               : KOFN_CONV_OK;
}

}  // namespace

int64_t pitch_of(int64_t columns) {
    // Narrow rows follow each other without a gap, so that vectors can go on over the end of a row. Others begin on
    // cache lines: vectors that straddle two are loaded twice.
    return columns <= 8 ? columns : round_up(columns, group);
}

int64_t plane_of(int64_t floats) {
    const int64_t lines = (floats + group - 1) / group;
    return (lines | 1) * group;
}

kofn_strides strides_of(const kofn_tensor& t) {
    const int64_t pixel = floats_of_pixel(t);
    // Without a halo rows follow each other: a plane is then one long row, which is how 1×1 kernels see it.
    const int64_t columns = t.width + t.halo;
    const int64_t row = pixel == 1 && t.halo > 0 ? pitch_of(columns) : columns * pixel;
    const int64_t plane = plane_of((t.height + 2 * t.halo) * row);
    // The memory begins with a halo, so that whole cache lines begin where a kernel's first tap reads.
    const int64_t front = t.halo * pixel;
    const int64_t image = plane * t.channels;
    return {front + t.halo * row, row, plane, image, front + image * images_of(t) + rest_of_tensor};
}

void pad(const kofn_tensor& to, const kofn_tensor& from, const float* source, float* target, int32_t threads) {
    const int64_t pixel = floats_of_pixel(to);
    const kofn_strides strides = strides_of(to);
    clear(to, strides, target, threads);
    copy(to, {pixel, strides_of(from), false}, source, {pixel, strides, false}, target, threads);
}

}  // namespace kofn::conv

using namespace kofn::conv;

int32_t kofn_tensor_form(int32_t batch, int32_t width) {
    const int64_t empty = round_up(batch, group) - batch;
    return width <= 64 && batch >= group && 4 * empty <= batch ? KOFN_BATCH16 : KOFN_PLANES;
}

int32_t kofn_tensor_strides(const kofn_tensor* tensor, kofn_strides* strides) {
    if (tensor == nullptr || strides == nullptr) {
        return KOFN_CONV_NULL;
    }
    const kofn_tensor& t = *tensor;
    if (!has_size(t.batch) || !has_size(t.channels) || !has_size(t.height) || !has_size(t.width) || t.halo < 0
        || t.halo > 3 || (t.precision != KOFN_FP32 && t.precision != KOFN_BF16) || (t.form != KOFN_PLANES && t.form != KOFN_BATCH16)) {
        return KOFN_CONV_SHAPE;
    }
    // Also so that the products below cannot overflow.
    if ((int64_t{t.height} + 2 * t.halo) * (t.width + t.halo) * floats_of_pixel(t) >= most_floats) {
        return KOFN_CONV_SHAPE;
    }
    const kofn_strides found = strides_of(t);
    if (found.image >= most_floats) {
        return KOFN_CONV_SHAPE;
    }
    *strides = found;
    return KOFN_CONV_OK;
}

int32_t kofn_cpu_tensor_clear(const kofn_tensor* tensor, void* data, int32_t threads) {
    kofn_strides s;
    const int32_t status = kofn_tensor_strides(tensor, &s);
    if (status != KOFN_CONV_OK || data == nullptr) {
        return status != KOFN_CONV_OK ? status : KOFN_CONV_NULL;
    }
    if (threads < 1 || threads > most_threads) {
        return KOFN_CONV_THREADS;
    }
    if (tensor->precision == KOFN_BF16) {
        clear(*tensor, s, static_cast<uint16_t*>(data), threads);
    } else {
        clear(*tensor, s, static_cast<float*>(data), threads);
    }
    return KOFN_CONV_OK;
}

int32_t kofn_cpu_tensor_import(const kofn_tensor* tensor, const float* plain, void* data, int32_t threads) {
    Access to;
    const int32_t status = check_copy(tensor, plain, data, threads, to);
    if (status == KOFN_CONV_OK) {
        copy(*tensor, plain_access(*tensor), plain, to, data, threads);
    }
    return status;
}

int32_t kofn_cpu_tensor_export(const kofn_tensor* tensor, const void* data, float* plain, int32_t threads) {
    Access from;
    const int32_t status = check_copy(tensor, data, plain, threads, from);
    if (status == KOFN_CONV_OK) {
        copy(*tensor, from, data, plain_access(*tensor), plain, threads);
    }
    return status;
}

int32_t kofn_cpu_tensor_convert(const kofn_tensor* from, const void* source, const kofn_tensor* to, void* data,
                                int32_t threads) {
    Access there, here;
    int32_t status = check_copy(from, source, data, threads, there);
    status = status != KOFN_CONV_OK ? status : check_copy(to, source, data, threads, here);
    if (status != KOFN_CONV_OK) {
        return status;
    }
    if (from->batch != to->batch || from->channels != to->channels || from->height != to->height
        || from->width != to->width) {
        return KOFN_CONV_LAYOUT;
    }
    copy(*to, there, source, here, data, threads);
    return KOFN_CONV_OK;
}
