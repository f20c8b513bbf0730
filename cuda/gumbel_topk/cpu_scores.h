#pragma once

#include "../common/arithmetic.h"
#include "../common/philox.h"
#include "cpu_lanes.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/** Noise and scores. Part of gumbel_topk_cpu_variant.cpp. */
namespace kofn::cpu::KOFN_VARIANT {

/** Counters of Philox that are drawn together; the last two words are the same for all of a layer. */
struct Counters {
    uint32_t quad, group; /* of the first counter */
    uint32_t quad_step, group_step; /* what each next one adds */
};

constexpr int64_t quads_at_once = 16;
alignas(64) constexpr uint64_t quad_numbers[quads_at_once] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/** The words of sixteen counters, the four of a counter side by side. */
#if defined(__AVX2__)

// Words in 64-bit lanes: the instruction that multiplies 32 bits to 64 reads the lower halves, whatever stands in the
// upper ones, so a round is 2 multiplications, 2 shifts and 2 three-way exclusive-ors. Compilers make of the plain loop
// (below) more than twice the work: they find the product, but then sort halves back into 32-bit lanes every round.
#if defined(__AVX512F__)
typedef uint64_t Words __attribute__((vector_size(64)));
inline void multiply(Words& product, const Words& words, const Words& constant) {
    // All lanes; the form without a mask makes gcc 12 warn of its own header.
    product = (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)words, (__m512i)constant);
}
#else
typedef uint64_t Words __attribute__((vector_size(32)));
inline void multiply(Words& product, const Words& words, const Words& constant) {
    product = (Words)_mm256_mul_epu32((__m256i)words, (__m256i)constant);
}
#endif

inline void draw_words(const kofn_draw& draw, uint32_t layer, const Counters& counters, uint32_t* out) {
    constexpr int width = sizeof(Words) / sizeof(uint64_t);
    constexpr int vectors = quads_at_once / width;
    Words a[vectors], b[vectors], c[vectors], d[vectors];
    for (int i = 0; i < vectors; ++i) {
        Words at;
        std::memcpy(&at, quad_numbers + i * width, sizeof at);
        a[i] = counters.quad + at * counters.quad_step;
        b[i] = counters.group + at * counters.group_step;
        c[i] = Words{} + draw.step;
        d[i] = Words{} + layer;
    }
    const Words first = Words{} + 0xD2511F53u, second = Words{} + 0xCD9E8D57u;
    uint32_t k0 = static_cast<uint32_t>(draw.seed), k1 = static_cast<uint32_t>(draw.seed >> 32);
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < vectors; ++i) {
            Words p0, p1;
            multiply(p0, a[i], first);
            multiply(p1, c[i], second);
            a[i] = (p1 >> 32) ^ b[i] ^ (Words{} + k0);
            c[i] = (p0 >> 32) ^ d[i] ^ (Words{} + k1);
            b[i] = p1;
            d[i] = p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < vectors; ++i) {
        uint64_t low[width], high[width], pairs[2 * width];
        const Words xy = (a[i] & 0xFFFFFFFFu) | (b[i] << 32), zw = (c[i] & 0xFFFFFFFFu) | (d[i] << 32);
        std::memcpy(low, &xy, sizeof low);
        std::memcpy(high, &zw, sizeof high);
        for (int l = 0; l < width; ++l) {
            pairs[2 * l] = low[l];
            pairs[2 * l + 1] = high[l];
        }
        std::memcpy(out + 4 * i * width, pairs, sizeof pairs);
    }
}

#else

inline void draw_words(const kofn_draw& draw, uint32_t layer, const Counters& counters, uint32_t* out) {
    for (uint32_t i = 0; i < quads_at_once; ++i) {
        const PhiloxWords words = philox(draw.seed, counters.quad + i * counters.quad_step,
                                         counters.group + i * counters.group_step, draw.step, layer);
        out[4 * i] = words.x;
        out[4 * i + 1] = words.y;
        out[4 * i + 2] = words.z;
        out[4 * i + 3] = words.w;
    }
}

#endif

/** y of one group; `store(i, y)` keeps the score of candidate i. */
template <class Store>
inline void scores(const Layer& layer, const kofn_draw& draw, int64_t group, Store store) {
    const int64_t n = layer.candidates;
    const float* logits = layer.tensors.logits + group * n;
    if (draw.noise == 0) {
        for (int64_t i = 0; i < n; ++i) {
            store(i, perturbed(logits[i], 0.0f, 0.0f));
        }
        return;
    }
    constexpr int64_t block = 8 * 4 * quads_at_once;
    uint32_t words[block];
    for (int64_t begin = 0; begin < n; begin += block) {
        const int64_t count = n - begin < block ? n - begin : block;
        for (int64_t i = 0; i < count; i += 4 * quads_at_once) {
            draw_words(draw, layer.tensors.index,
                       {static_cast<uint32_t>((begin + i) / 4), static_cast<uint32_t>(group), 1, 0}, words + i);
        }
        for (int64_t i = 0; i < count; ++i) {
            store(begin + i, perturbed(logits[begin + i], draw.noise, gumbel(words[i])));
        }
    }
}

}  // namespace kofn::cpu::KOFN_VARIANT
