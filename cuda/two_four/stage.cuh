#pragma once

#include "../common/async_copy.cuh"
#include "tile.cuh"

/** Activations on their way from global to shared memory, a chunk of DEPTH inputs at a time. */
namespace kofn::two_four {

/**
 * Copies of BYTES that a block's threads share. Where there is no input or no column, zeros are written: x may hold
 * what is not finite, and memory that was never written may look so. Groups of BYTES never straddle an edge, because the
 * host chose BYTES to divide what follows each other in memory.
 */
template <class T, int BYTES>
class Stager {
    using Element = typename T::Element;

public:
    __device__ __forceinline__ Stager(const Problem& p, uint32_t first_column)
        : p_(p), from_(static_cast<const Element*>(p.input)) {
        if constexpr (T::LINEAR) {
            columns_ = p.columns - first_column;
            from_ += static_cast<int64_t>(first_column) * p.inputs;
        } else { // a thread's copies are all of one column
            const uint32_t column = first_column + threadIdx.x % OF_LINE * GROUP;
            columns_ = column < p.columns ? 1 : 0;
            from_ += columns_ != 0 ? static_cast<int64_t>(column / p.pixels) * p.inputs * p.pixels + column % p.pixels : 0;
        }
    }

    /** Starts the copies of inputs `first` and following. */
    __device__ __forceinline__ void start(uint32_t first, Element* stage) const {
#pragma unroll UNROLLED
        for (uint32_t i = 0; i < COPIES; ++i) {
            const uint32_t copy = i * T::THREADS + threadIdx.x;
            const uint32_t line = copy / OF_LINE, place = copy % OF_LINE * GROUP;
            const uint32_t input = first + (T::LINEAR ? place : line);
            const bool there = input < p_.inputs && (T::LINEAR ? line : 0) < columns_;
            const uint32_t at = T::LINEAR ? line * p_.inputs + input : input * p_.pixels;
            copy_one(stage + line * T::PITCH + place, from_ + (there ? at : 0), there);
        }
    }

private:
    static constexpr uint32_t GROUP = BYTES / sizeof(Element); // elements a copy
    static constexpr uint32_t OF_LINE = T::LENGTH / GROUP;     // copies a line
    static constexpr uint32_t COPIES = T::LINES * OF_LINE / T::THREADS;
    static constexpr int UNROLLED = COPIES < 8 ? COPIES : 8; // all, and each would hold an address over the whole loop
    static_assert(COPIES * T::THREADS == T::LINES * OF_LINE, "each thread makes equally many copies");
    static_assert(T::LINEAR || T::THREADS % OF_LINE == 0, "a thread keeps its column");

    static __device__ __forceinline__ void copy_one(Element* to, const Element* from, bool there) {
        if constexpr (BYTES >= 4) {
            cuda::copy_async<BYTES>(to, from, there);
        } else {
            *to = there ? *from : Element{0};
        }
    }

    const Problem& p_;
    const Element* from_;
    uint32_t columns_; // that are there: of the tile, or whether the thread's is
};

}  // namespace kofn::two_four
