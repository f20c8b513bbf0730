#include "arithmetic.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "check.h"
#include "philox.h"

/**
 * The generator against the published vectors, every function against double precision, and the distribution of the
 * noise. The extended form covers all 2³² words and draws 10⁹ numbers.
 */
using namespace kofn;

namespace {

/** Draws and checks are spread over this many parts, whose results are put together in order. */
constexpr int parts = 64;

/** Random123's known answers (kat_vectors, philox4x32, 10 rounds). */
void philox_known_answers() {
    struct Known {
        uint64_t seed;
        uint32_t counter[4], words[4];
    };
    const Known known[] = {
        {0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {~0ull, {~0u, ~0u, ~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const Known& k : known) {
        PhiloxWords words = philox(k.seed, k.counter[0], k.counter[1], k.counter[2], k.counter[3]);
        CHECK(words.x == k.words[0] && words.y == k.words[1] && words.z == k.words[2] && words.w == k.words[3]);
    }
}

/** |found − exact| in units of the last place of a float as large as `exact`, but at least of `least`. */
double error_in_ulps(float found, double exact, double least) {
    int exponent;
    std::frexp(std::max(std::abs(exact), least), &exponent);
    return std::abs(static_cast<double>(found) - exact) / std::ldexp(1.0, exponent - 24);
}

/** Gumbel noise of a word in double precision. */
double exact_gumbel(uint32_t r) {
    const double v = (static_cast<double>(r) + 0.5) * 0x1p-32;
    // Both branches are exact up to the library's logarithms: v and 1 − v have at most 33 bits.
    return -std::log(v < 0.5 ? -std::log1p(-v) : -std::log(1 - v));
}

/** The largest of `error(i)` for multiples i of the stride in [first, last); a prime one lets all low digits occur. */
template <class Error>
double worst_of(uint64_t first, uint64_t last, uint64_t stride, Error error) {
    double worst[parts] = {};
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic)
#endif
    for (int part = 0; part < parts; ++part) {
        const uint64_t size = (last - first + parts - 1) / parts;
        const uint64_t begin = first + part * size, end = std::min(last, begin + size);
        double largest = 0;
        for (uint64_t i = (begin + stride - 1) / stride * stride; i < end; i += stride) {
            largest = std::max(largest, error(static_cast<uint32_t>(i)));
        }
        worst[part] = largest;
    }
    return *std::max_element(worst, worst + parts);
}

constexpr uint64_t all_words = uint64_t{1} << 32;

/**
 * The largest error of the noise over all words. The noise sees a word, or its complement, only through unit_interval:
 * a run of words that are rounded to one number has one noise, and the largest error at one of its ends, because the
 * exact noise is monotone. Words below 2²⁴ each have a number of their own; above, numbers are 2, 4, 8 … words apart.
 */
double worst_of_all_words() {
    double worst[parts] = {};
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic)
#endif
    for (int part = 0; part < parts; ++part) {
        const auto visit = [&](uint32_t word) {
            for (uint32_t either : {word, ~word}) {
                worst[part] = std::max(worst[part], error_in_ulps(gumbel(either), exact_gumbel(either), 0.5));
            }
        };
        for (uint32_t word = part; word < 1u << 24; word += parts) {
            visit(word);
        }
        for (int apart = 1; apart <= 8; ++apart) {
            for (uint64_t number = (1u << 23) + part; number < 1u << 24; number += parts) {
                const uint64_t middle = (number << apart) + (1u << (apart - 1));
                visit(static_cast<uint32_t>(middle - 1));
                visit(static_cast<uint32_t>(middle));
            }
        }
    }
    return *std::max_element(worst, worst + parts);
}

void noise_is_accurate() {
    const double worst = extended() ? worst_of_all_words() : worst_of(0, all_words, 4099, [](uint32_t word) {
        return error_in_ulps(gumbel(word), exact_gumbel(word), 0.5);
    });
    std::printf("gumbel: at most %.3f units in the last place\n", worst);
    CHECK(worst <= 4);
    for (uint32_t near = 0; near < 100000; ++near) {
        for (uint32_t word : {near, ~near, 0x4AFB0CCCu - 50000 + near}) {
            CHECK(error_in_ulps(gumbel(word), exact_gumbel(word), 0.5) <= 4);
        }
    }
    CHECK(std::abs(gumbel(0) - 22.8739f) < 1e-3f);
    CHECK(std::abs(gumbel(~0u) + 3.13f) < 1e-2f);
}

/** u(r) never decreases, and has the right ends. Noise may step back by an ulp where its rounding does. */
void unit_interval_is_monotone() {
    CHECK(unit_interval(0) == 0x1p-33f);
    CHECK(unit_interval(~0u) == 1.0f);
    const double falls = worst_of(0, all_words, extended() ? 1 : 4099, [](uint32_t word) {
        const uint32_t next = word == ~0u ? word : word + 1;
        const float u = unit_interval(word);
        const float exact = static_cast<float>((static_cast<double>(word) + 0.5) * 0x1p-32);
        return u > unit_interval(next) || u != exact ? 1.0 : 0.0;
    });
    CHECK(falls == 0);
}

/** Logarithms of the numbers that occur, through split, which must be exact. */
void log_is_accurate() {
    const double infinity = std::numeric_limits<double>::infinity();
    const double worst = worst_of(float_bits(0x1p-40f), float_bits(32.0f), extended() ? 1 : 257, [=](uint32_t bits) {
        const float x = bits_float(bits);
        float e, f;
        split(x, e, f);
        const bool exact = std::ldexp(1.0 + static_cast<double>(f), static_cast<int>(e)) == static_cast<double>(x);
        return exact ? error_in_ulps(log_of_parts(e, f), std::log(static_cast<double>(x)), 1e-30) : infinity;
    });
    std::printf("log: at most %.3f units in the last place\n", worst);
    CHECK(worst <= 4);
}

void exp_is_accurate() {
    const double worst = worst_of(float_bits(1e-12f), float_bits(87.0f), extended() ? 1 : 257, [](uint32_t bits) {
        const float x = -bits_float(bits);
        return error_in_ulps(exp_nonpositive(x), std::exp(static_cast<double>(x)), 0);
    });
    std::printf("exp: at most %.3f units in the last place\n", worst);
    CHECK(worst <= 2);
    CHECK(exp_nonpositive(0.0f) == 1.0f);
    CHECK(exp_nonpositive(-0.0f) == 1.0f);
    CHECK(exp_nonpositive(-87.0f) == 0.0f);
    CHECK(exp_nonpositive(-1e30f) == 0.0f);
    CHECK(exp_nonpositive(-std::numeric_limits<float>::infinity()) == 0.0f);
}

/** Keys order as floats do, and lead back to them; infinities and NaN lie outside of all numbers. */
void keys_order_as_floats() {
    const float infinity = std::numeric_limits<float>::infinity();
    const float values[] = {-infinity, -3e38f, -1e30f, -1.0f, -1e-45f, 0.0f,
                            1e-45f,    1e-30f, 1.0f,   1e30f, 3e38f,   infinity};
    for (float a : values) {
        CHECK(float_bits(order_value(order_key(a))) == float_bits(a));
        for (float b : values) {
            CHECK((a < b) == (order_key(a) < order_key(b)));
        }
    }
    CHECK(order_key(bits_float(0x7FC00000u)) > order_key(infinity));
    CHECK(order_key(bits_float(0xFFC00000u)) < order_key(-infinity));
    CHECK(float_bits(perturbed(-0.0f, 0.0f, 0.0f)) == 0);
    CHECK(!is_finite(infinity) && !is_finite(-infinity) && !is_finite(bits_float(0x7FC00000u)) && is_finite(3e38f));
}

/** All 2¹⁶ values survive the way through float; halves round to even; what is no number stays none. */
void bfloat16_rounds() {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const uint16_t half = static_cast<uint16_t>(bits);
        const bool is_nan = (bits & 0x7F80u) == 0x7F80u && (bits & 0x7Fu) != 0;
        CHECK(to_bfloat16(from_bfloat16(half)) == (is_nan ? (half | 0x40u) : half));
    }
    CHECK(to_bfloat16(bits_float(0x3F808000u)) == 0x3F80u);
    CHECK(to_bfloat16(bits_float(0x3F818000u)) == 0x3F82u);
    CHECK(to_bfloat16(bits_float(0x3F808001u)) == 0x3F81u);
    CHECK(to_bfloat16(bits_float(0x7F7FFFFFu)) == 0x7F80u);
    CHECK(to_bfloat16(bits_float(0x7F800001u)) == 0x7FC0u);
}

/** How far a chi-square lies above its mean, in standard deviations (Wilson and Hilferty). */
double deviation_of(double chi_square, double degrees) {
    const double variance = 2.0 / (9.0 * degrees);
    return (std::cbrt(chi_square / degrees) - (1 - variance)) / std::sqrt(variance);
}

/**
 * Noise drawn as sampling draws it, against P(G ≤ g) = exp(−exp(−g)): 256 bins of equal probability for the bulk, then
 * the upper tail in steps of ½ as far as ten are expected, and beyond that by Poisson's probability.
 */
void noise_fits_its_distribution() {
    const int64_t draws = extended() ? 1000000000 : 10000000;
    constexpr int bulk = 256, tail = 46;
    const float tail_begin = 0.0f, tail_step = 0.5f;
    std::vector<float> edges(bulk - 1);
    for (int i = 1; i < bulk; ++i) {
        edges[i - 1] = static_cast<float>(-std::log(-std::log(static_cast<double>(i) / bulk)));
    }
    std::vector<std::vector<int64_t>> counts(parts, std::vector<int64_t>(bulk + tail + 1));
    const int64_t quads = draws / 4 / parts;
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic)
#endif
    for (int part = 0; part < parts; ++part) {
        int64_t* count = counts[part].data();
        for (int64_t quad = 0; quad < quads; ++quad) {
            // Counters as in sampling: few candidates, many groups, several layers.
            const uint32_t group = static_cast<uint32_t>(quad / 128);
            const PhiloxWords words = philox(20240607, static_cast<uint32_t>(quad % 128), group, 11, part);
            for (uint32_t word : {words.x, words.y, words.z, words.w}) {
                const float g = gumbel(word);
                // Probabilities grow by equal steps from edge to edge, so the bin is known but for rounding.
                int bin = std::clamp(static_cast<int>(std::exp(-std::exp(-g)) * bulk), 0, bulk - 1);
                bin -= bin > 0 && g <= edges[bin - 1] ? 1 : 0;
                bin += bin < bulk - 1 && g > edges[bin] ? 1 : 0;
                ++count[bin];
                if (g > tail_begin) {
                    ++count[bulk + std::min(static_cast<int>((g - tail_begin) / tail_step), tail)];
                }
            }
        }
    }
    std::vector<int64_t> total(bulk + tail + 1);
    for (const auto& count : counts) {
        for (size_t i = 0; i < total.size(); ++i) {
            total[i] += count[i];
        }
    }
    const double n = static_cast<double>(quads * 4 * parts);
    double chi_square = 0;
    for (int i = 0; i < bulk; ++i) {
        // Edges are floats: the probability between them, not 1/256, is what to expect.
        const double below = i == 0 ? 0 : std::exp(-std::exp(-static_cast<double>(edges[i - 1])));
        const double above = i == bulk - 1 ? 1 : std::exp(-std::exp(-static_cast<double>(edges[i])));
        const double expected = n * (above - below);
        chi_square += (total[i] - expected) * (total[i] - expected) / expected;
    }
    const double bulk_deviation = deviation_of(chi_square, bulk - 1);
    double tail_chi_square = 0, degrees = 0, beyond = 0;
    int64_t seen_beyond = 0;
    for (int i = 0; i <= tail; ++i) {
        const double from = static_cast<double>(tail_begin) + i * static_cast<double>(tail_step);
        const double upper = i == tail ? 0 : -std::expm1(-std::exp(-(from + static_cast<double>(tail_step))));
        const double expected = n * (-std::expm1(-std::exp(-from)) - upper);
        if (expected >= 10) {
            tail_chi_square += (total[bulk + i] - expected) * (total[bulk + i] - expected) / expected;
            degrees += 1;
        } else {
            beyond += expected;
            seen_beyond += total[bulk + i];
        }
    }
    const double tail_deviation = deviation_of(tail_chi_square, degrees);
    std::printf("noise: %.0f draws, bulk %.2f and tail (up to %.1f) %.2f deviations; beyond: %lld, expected %.1f\n", n,
                bulk_deviation, static_cast<double>(tail_begin) + degrees * static_cast<double>(tail_step),
                tail_deviation, static_cast<long long>(seen_beyond), beyond);
    CHECK(std::abs(bulk_deviation) < 4);
    CHECK(std::abs(tail_deviation) < 4);
    CHECK(std::abs(static_cast<double>(seen_beyond) - beyond) < 4 * std::sqrt(beyond) + 1);
}

}  // namespace

int main() {
    philox_known_answers();
    unit_interval_is_monotone();
    log_is_accurate();
    noise_is_accurate();
    exp_is_accurate();
    keys_order_as_floats();
    bfloat16_rounds();
    noise_fits_its_distribution();
    return checks_summary("arithmetic_test");
}
