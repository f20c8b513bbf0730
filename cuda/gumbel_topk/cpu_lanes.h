#pragma once

#include <cstring>

#include "cpu_variant.h"

/** Vectors of sixteen floats and scratch memory. Part of gumbel_topk_cpu_variant.cpp. */
namespace kofn::cpu::KOFN_VARIANT {

/** Rounds up to whole vectors. */
inline int64_t padded(int64_t n) {
    return (n + lanes - 1) / lanes * lanes;
}

/** Hands out parts of a task's scratch memory, each beginning at a multiple of 64. */
class Scratch {
public:
    explicit Scratch(void* memory) : next_(static_cast<char*>(memory)) {}

    /** Room for n values, and for more up to a whole vector. */
    template <class T>
    T* take(int64_t n) {
        T* taken = reinterpret_cast<T*>(next_);
        next_ += static_cast<size_t>(padded(n)) * sizeof(T);
        return taken;
    }

private:
    char* next_;
};

/** The compiler splits this type into as many registers as the instruction set needs; the sums are the same. */
typedef float Lanes __attribute__((vector_size(4 * lanes)));

/** A sum in sixteen parts, so that its value does not depend on the width of registers. */
struct LaneSum {
    Lanes parts = {};

    float total() const {
        float part[lanes];
        std::memcpy(part, &parts, sizeof part);
        for (int64_t half = lanes / 2; half > 0; half /= 2) {
            for (int64_t l = 0; l < half; ++l) {
                part[l] += part[l + half];
            }
        }
        return part[0];
    }
};

/** Sixteen floats from memory of any alignment. */
inline void load(Lanes& to, const float* from) {
    std::memcpy(&to, from, sizeof to);
}

/** Two sums in one pass over whole vectors: a block of floats at a time, the blocks in double precision. */
template <class Terms>
inline void sum_pairs(int64_t n, double& first, double& second, Terms terms) {
    const int64_t block = 1024;
    first = second = 0;
    for (int64_t begin = 0; begin < n; begin += block) {
        const int64_t end = begin + block < n ? begin + block : n;
        LaneSum a, b;
        for (int64_t i = begin; i < end; i += lanes) {
            terms(i, a.parts, b.parts);
        }
        first += static_cast<double>(a.total());
        second += static_cast<double>(b.total());
    }
}

}  // namespace kofn::cpu::KOFN_VARIANT
