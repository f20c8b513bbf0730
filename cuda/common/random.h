#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

/** What tests draw their cases with. */
namespace kofn {

using Random = std::mt19937_64;

/** A whole number from least to most, both included. */
inline int32_t pick(Random& random, int32_t least, int32_t most) {
    return least + static_cast<int32_t>(random() % static_cast<uint64_t>(most - least + 1));
}

/** One of a list. */
template <size_t N>
inline int32_t pick(Random& random, const int32_t (&from)[N]) {
    return from[random() % N];
}

}  // namespace kofn
