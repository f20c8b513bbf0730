#include "cpu_loops.h"

/** The loops' entry; CMakeLists.txt compiles this for several instruction sets. */
namespace kofn::linear::KOFN_VARIANT {
extern const Variant variant;
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX2__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif

template <class Index, class Weight>
void run_method(const Task& task) {
    switch (task.method) {
        case shared: run_shared<lanes, Index, Weight>(task); break;
        case images:
            task.vectors == 1 ? run_images<lanes, 1, Index, Weight>(task) : run_images<lanes, 2, Index, Weight>(task);
            break;
        default: run_single<lanes, Index, Weight>(task); break;
    }
}

void run(const Task& task) {
    if (task.precision == KOFN_BF16) {
        task.narrow ? run_method<uint16_t, Bf16>(task) : run_method<int32_t, Bf16>(task);
    } else {
        task.narrow ? run_method<uint16_t, float>(task) : run_method<int32_t, float>(task);
    }
}

template <class Element>
void transpose_elements(const Element* x, int64_t inputs, int64_t count, int64_t width, int64_t first, int64_t last,
                        float* to) {
    for (int64_t i = first; i < last; i += 4) {
        for (int64_t image = 0; image < width; image += 4) {
            if (image + 4 <= count && i + 4 <= last) {
                transpose4(x + image * inputs + i, inputs, to + i * width + image, width);
                continue;
            }
            for (int64_t j = i; j < i + 4 && j < last; ++j) {
                for (int64_t m = image; m < image + 4; ++m) {
                    to[j * width + m] = m < count ? single(x + m * inputs + j) : 0.0f;
                }
            }
        }
    }
}

void transpose(const void* x, int32_t precision, int64_t inputs, int64_t count, int64_t width, int64_t first,
               int64_t last, float* to) {
    if (precision == KOFN_BF16) {
        transpose_elements(static_cast<const Bf16*>(x), inputs, count, width, first, last, to);
    } else {
        transpose_elements(static_cast<const float*>(x), inputs, count, width, first, last, to);
    }
}

void widen(const uint16_t* from, int64_t count, float* to) {
    const Bf16* halves = reinterpret_cast<const Bf16*>(from);
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        store_lanes<lanes>(to + i, load<lanes>(halves + i), all_lanes<lanes>);
    }
    for (; i < count; ++i) {
        to[i] = single(halves + i);
    }
}

}  // namespace
}  // namespace kofn::linear::KOFN_VARIANT

#define KOFN_TEXT_OF(name) #name
#define KOFN_TEXT(name) KOFN_TEXT_OF(name)

const kofn::linear::Variant kofn::linear::KOFN_VARIANT::variant = {KOFN_TEXT(KOFN_VARIANT), lanes, run, transpose,
                                                                   widen};
