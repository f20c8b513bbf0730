#include <utility>

#include "cpu_pixels.h"
#include "cpu_rows.h"
#include "cpu_small.h"
#include "cpu_taps.h"

/** The loops over tiles, and tables of their sizes; CMakeLists.txt compiles this for several instruction sets. */
namespace kofn::conv::KOFN_VARIANT {
extern const Variant variant;
GradientFunction gradient(const GradientKernel& kernel, double& loads);
namespace {

/** Beside the sums: three weights and an input, or their like; without fused multiplication also a product. */
#if defined(__FP_FAST_FMAF)
constexpr int accumulators = registers - 4;
#else
constexpr int accumulators = registers - 5;
#endif

/** With more, registers would be missing to load ahead: slower, as measured. */
constexpr int sums_of_rows = accumulators < 24 ? accumulators : 24;

/** Beside the nine weights of a kernel, a pixel and a product; where that leaves few sums, rows_tile is for batches too. */
constexpr int sums_of_pixels = registers - 11;
constexpr bool holds_kernels = sums_of_pixels >= 16;

constexpr int most_lines = 8, most_vectors = 8;

/** The loop for (index/most_vectors + 1) lines of (index mod most_vectors + 1) vectors with 3×3 kernels. */
template <int Lanes, int Column, int Stride, int Outputs, bool Whole, int Index>
constexpr TileFunction rows_entry() {
    constexpr int lines = Index / most_vectors + 1, vectors = Index % most_vectors + 1;
    constexpr int sums = Outputs * lines * vectors;
    if constexpr (Column == 16 && holds_kernels) {
        // More outputs than one are for tiles that alone would not fill the pipelines.
        if constexpr (Whole ? lines == vectors && sums <= 16 : sums <= sums_of_pixels && Outputs * vectors <= 6) {
            return pixels_tile<Lanes, Stride, Outputs, lines, vectors, Whole>;
        }
    } else if constexpr (!Whole && sums <= sums_of_rows && vectors <= 4 && (Outputs == 1 || vectors == 1)) {
        return rows_tile<Lanes, Column, Stride, Outputs, lines, vectors>;
    }
    return nullptr;
}

template <int Lanes, int Column, int Stride, int Outputs, bool Whole, int... Index>
TileFunction rows_of(int index, std::integer_sequence<int, Index...>) {
    static constexpr TileFunction table[] = {rows_entry<Lanes, Column, Stride, Outputs, Whole, Index>()...};
    return table[index];
}

template <int Lanes, int Column, int Stride, bool Whole>
TileFunction rows_for(int outputs, int index) {
    constexpr auto sizes = std::make_integer_sequence<int, most_lines * most_vectors>();
    return outputs == 1 ? rows_of<Lanes, Column, Stride, 1, Whole>(index, sizes)
         : outputs == 2 ? rows_of<Lanes, Column, Stride, 2, Whole>(index, sizes)
         : outputs == 4 ? rows_of<Lanes, Column, Stride, 4, Whole>(index, sizes)
                        : nullptr;
}

template <int Lanes, int Column, int Stride>
TileFunction rows_for(const Kernel& kernel, int index) {
    return kernel.whole ? rows_for<Lanes, Column, Stride, true>(kernel.outputs, index)
                        : rows_for<Lanes, Column, Stride, false>(kernel.outputs, index);
}

/** The loop of taps_tile for 2^(index/most_vectors) outputs and (index mod most_vectors + 1) vectors. */
template <int Lanes, bool Shared, bool OneTap, int Index>
constexpr TileFunction taps_entry() {
    constexpr int outputs = 1 << Index / most_vectors, vectors = Index % most_vectors + 1;
    if constexpr (outputs * vectors <= accumulators - (Shared ? vectors - 2 : 0) && (!Shared || outputs >= 4)) {
        return taps_tile<Lanes, outputs, vectors, Shared, OneTap>;
    } else {
        return nullptr;
    }
}

template <int Lanes, bool Shared, bool OneTap, int... Index>
TileFunction taps_of(int index, std::integer_sequence<int, Index...>) {
    static constexpr TileFunction table[] = {taps_entry<Lanes, Shared, OneTap, Index>()...};
    return table[index];
}

template <int Lanes>
TileFunction tile_of(const Kernel& kernel, int lines, int vectors) {
    if (kernel.method == Kernel::rows) {
        const int index = (lines - 1) * most_vectors + vectors - 1;
        if (kernel.column == 1) {
            return kernel.stride == 1 ? rows_for<Lanes, 1, 1>(kernel, index) : rows_for<Lanes, 1, 2>(kernel, index);
        }
        return kernel.stride == 1 ? rows_for<Lanes, 16, 1>(kernel, index) : rows_for<Lanes, 16, 2>(kernel, index);
    }
    constexpr auto sizes = std::make_integer_sequence<int, 4 * most_vectors>();
    const int index = (31 - __builtin_clz(static_cast<unsigned>(kernel.outputs))) * most_vectors + vectors - 1;
    if (kernel.method == Kernel::shared) {
        return kernel.one_tap ? taps_of<Lanes, true, true>(index, sizes) : taps_of<Lanes, true, false>(index, sizes);
    }
    return kernel.one_tap ? taps_of<Lanes, false, true>(index, sizes) : taps_of<Lanes, false, false>(index, sizes);
}

#if defined(__AVX512F__)
constexpr bool has_small = true;
constexpr TileFunction small = small_tile;
#else
constexpr bool has_small = false;
constexpr TileFunction small = nullptr;
#endif

TileFunction tile(const Kernel& kernel, int lines, int vectors) {
    if (lines > most_lines || vectors > most_vectors) {
        return nullptr;
    }
    if (kernel.method == Kernel::small) {
        return small;
    }
    return kernel.lanes == widest ? tile_of<widest>(kernel, lines, vectors)
                                  : tile_of<narrowest>(kernel, lines, vectors);
}

void widen(const uint16_t* from, int64_t count, float* to) {
    const Bf16* halves = reinterpret_cast<const Bf16*>(from);
    for (int64_t i = 0; i < count; i += 16) {
        KOFN_UNROLL
        for (int j = 0; j < 16; j += widest) {
            store_lanes<widest>(to + i + j, load<widest>(halves + i + j), all_lanes<widest>);
        }
    }
}

}  // namespace
}  // namespace kofn::conv::KOFN_VARIANT

#define KOFN_TEXT_OF(name) #name
#define KOFN_TEXT(name) KOFN_TEXT_OF(name)

const kofn::conv::Variant kofn::conv::KOFN_VARIANT::variant = {KOFN_TEXT(KOFN_VARIANT), widest, narrowest, accumulators,
                                                               holds_kernels, has_small, tile, gradient, widen};
