#include <utility>

#include "cpu_rows.h"
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

constexpr int most_lines = 8, most_vectors = 8;

/** The loop of rows_tile for (index/most_vectors + 1) lines of (index mod most_vectors + 1) vectors. */
template <int Lanes, int Column, int Stride, int Outputs, int Index>
constexpr TileFunction rows_entry() {
    constexpr int lines = Index / most_vectors + 1, vectors = Index % most_vectors + 1;
    // More outputs than one are for tiles that alone would not fill the pipelines.
    if constexpr (Outputs * lines * vectors <= sums_of_rows && vectors <= 4 && (Outputs == 1 || vectors == 1)) {
        return rows_tile<Lanes, Column, Stride, Outputs, lines, vectors>;
    } else {
        return nullptr;
    }
}

template <int Lanes, int Column, int Stride, int Outputs, int... Index>
TileFunction rows_of(int index, std::integer_sequence<int, Index...>) {
    static constexpr TileFunction table[] = {rows_entry<Lanes, Column, Stride, Outputs, Index>()...};
    return table[index];
}

template <int Lanes, int Column, int Stride, class Sizes>
TileFunction rows_for(int outputs, int index, Sizes sizes) {
    return outputs == 1 ? rows_of<Lanes, Column, Stride, 1>(index, sizes)
         : outputs == 2 ? rows_of<Lanes, Column, Stride, 2>(index, sizes)
         : outputs == 4 ? rows_of<Lanes, Column, Stride, 4>(index, sizes)
                        : nullptr;
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
        constexpr auto sizes = std::make_integer_sequence<int, most_lines * most_vectors>();
        const int index = (lines - 1) * most_vectors + vectors - 1;
        const int outputs = kernel.outputs;
        if (kernel.column == 1) {
            return kernel.stride == 1 ? rows_for<Lanes, 1, 1>(outputs, index, sizes)
                                      : rows_for<Lanes, 1, 2>(outputs, index, sizes);
        }
        return kernel.stride == 1 ? rows_for<Lanes, 16, 1>(outputs, index, sizes)
                                  : rows_for<Lanes, 16, 2>(outputs, index, sizes);
    }
    constexpr auto sizes = std::make_integer_sequence<int, 4 * most_vectors>();
    const int index = (31 - __builtin_clz(static_cast<unsigned>(kernel.outputs))) * most_vectors + vectors - 1;
    if (kernel.method == Kernel::shared) {
        return kernel.one_tap ? taps_of<Lanes, true, true>(index, sizes) : taps_of<Lanes, true, false>(index, sizes);
    }
    return kernel.one_tap ? taps_of<Lanes, false, true>(index, sizes) : taps_of<Lanes, false, false>(index, sizes);
}

TileFunction tile(const Kernel& kernel, int lines, int vectors) {
    if (lines > most_lines || vectors > most_vectors) {
        return nullptr;
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
                                                               tile, gradient, widen};
