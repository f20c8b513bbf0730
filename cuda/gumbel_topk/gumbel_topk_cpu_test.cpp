#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <memory>

#include "cpu_test.h"
#include "reference.h"

/**
 * The CPU's variants against the plain version: masks bit for bit, refusals, and what the plain version cannot show, the
 * frequencies of the masks.
 */
using namespace kofn;

namespace {

bool same_masks(const TestLayer& a, const TestLayer& b) {
    return a.mask == b.mask && a.bits == b.bits && a.indices == b.indices && a.effective == b.effective;
}

/** Masks, bits, indices and effective weights of random layers, for every variant and number of threads. */
void masks_equal_the_reference() {
    const int64_t wanted = extended() ? 10000000 : 200000;
    const auto start = std::chrono::steady_clock::now();
    std::mt19937_64 random(1);
    int64_t groups = 0;
    for (int round = 0; groups < wanted; ++round) {
        const Network untouched = random_network(random, random_layer, 24);
        const kofn_draw draw = random_draw(random);
        Network expected = untouched;
        for (const kofn_layer& layer : expected.views()) {
            CHECK(reference::sample(layer, draw));
        }
        for (size_t i = 0; i < variants().size(); ++i) {
            CHECK(kofn_cpu_use_variant(variants()[i].c_str()) == 1);
            Network found = untouched;
            const std::vector<kofn_layer> views = found.views();
            const int threads = 1 + (round + static_cast<int>(i)) % 3;
            CHECK(kofn_cpu_sample(views.data(), static_cast<int32_t>(views.size()), &draw, threads) == 0);
            CHECK(found.intact());
            for (size_t l = 0; l < found.layers.size(); ++l) {
                CHECK(same_masks(found.layers[l], expected.layers[l]));
            }
        }
        groups += untouched.groups();
    }
    std::printf("masks: %lld groups, %zu variants, %.1f s\n", static_cast<long long>(groups), variants().size(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

/** Exactly k stay, whatever the reference says. */
void exactly_k_are_kept() {
    std::mt19937_64 random(2);
    for (int i = 0; i < 200; ++i) {
        TestLayer layer(random_layer(random), random());
        const kofn_layer view = layer.view();
        const kofn_draw draw = random_draw(random);
        CHECK(kofn_cpu_sample(&view, 1, &draw, 1) == 0);
        for (int64_t g = 0; g < layer.groups; ++g) {
            int64_t kept = 0, counted = 0;
            for (int64_t c = 0; c < layer.candidates; ++c) {
                CHECK(layer.mask[g * layer.candidates + c] <= 1);
                kept += layer.mask[g * layer.candidates + c];
            }
            for (int64_t w = 0; w < layer.words; ++w) {
                counted += __builtin_popcount(layer.bits[g * layer.words + w]);
            }
            CHECK(kept == layer.spec.kept && counted == layer.spec.kept);
        }
    }
}

/** In double precision another mask may come out only by candidates that lie within the rounding of the k-th. */
void double_precision_differs_only_by_rounding() {
    std::mt19937_64 random(3);
    int64_t differing = 0, candidates = 0;
    for (int i = 0; i < 600; ++i) {
        LayerSpec spec = random_layer_of(random, 1 + static_cast<int64_t>(random() % 3000), 4);
        spec.logits = i % 2 == 0 ? Logits::normal : Logits::equal;
        TestLayer layer(spec, random());
        const kofn_layer view = layer.view();
        kofn_draw draw = random_draw(random);
        draw.noise = 1;
        CHECK(kofn_cpu_sample(&view, 1, &draw, 2) == 0);
        for (int64_t g = 0; g < layer.groups; ++g) {
            const int64_t n = layer.candidates;
            std::vector<double> y(static_cast<size_t>(n));
            for (int64_t c = 0; c < n; ++c) {
                const PhiloxWords words = philox(draw.seed, static_cast<uint32_t>(c / 4), static_cast<uint32_t>(g),
                                                 draw.step, spec.index);
                const uint32_t word[4] = {words.x, words.y, words.z, words.w};
                const double v = (word[c % 4] + 0.5) * 0x1p-32;
                y[c] = layer.logits[g * n + c] - std::log(v < 0.5 ? -std::log1p(-v) : -std::log(1 - v));
            }
            const std::vector<int32_t> order = reference::largest(y, spec.kept);
            std::vector<char> kept(static_cast<size_t>(n), 0);
            for (int32_t c : order) {
                kept[c] = 1;
            }
            for (int64_t c = 0; c < n; ++c) {
                const double last = y[order.back()];
                // Each of the two is off by at most four units of the noise's last place and one of the sum's; both
                // are below 32, where a unit is 2⁻¹⁹.
                const double bound = 2 * 5 * 0x1p-19;
                const bool differs = (kept[c] != 0) != (layer.mask[g * n + c] != 0);
                CHECK(!differs || std::abs(y[c] - last) <= bound);
                differing += differs;
            }
            candidates += n;
        }
    }
    std::printf("double precision: %lld of %lld candidates on the other side of the k-th\n",
                static_cast<long long>(differing), static_cast<long long>(candidates));
}

/** Scores that are no numbers are named by layer, the first one first; wrong descriptions before anything runs. */
void refusals_name_the_layer() {
    const float wrong[] = {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
                           std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
    const kofn_draw draw{5, 6, 1, 1, 0, 0};
    const kofn_draw quiet{5, 6, 1, 0, 0, 0};
    for (const std::string& variant : variants()) {
        kofn_cpu_use_variant(variant.c_str());
        for (int64_t n : {1, 4, 31, 33, 70, 600}) {
            for (float value : wrong) {
                Network network;
                for (int i = 0; i < 4; ++i) {
                    network.layers.emplace_back(plain_layer(20, n, (n + 1) / 2), 7);
                }
                network.layers[1].logits[13 * n + n - 1] = value;
                network.layers[3].logits[0] = value;
                std::vector<kofn_layer> views = network.views();
                CHECK(kofn_cpu_sample(views.data(), 4, &draw, 2) == 2);
                CHECK(kofn_cpu_sample(views.data(), 4, &quiet, 2) == 2);
                CHECK(kofn_cpu_sample(views.data() + 2, 2, &draw, 2) == 2);
                CHECK(kofn_cpu_sample(views.data(), 1, &draw, 2) == 0);
                CHECK(network.intact());
            }
        }
    }
    CHECK(kofn_cpu_sample(nullptr, 0, &draw, 2) == 0);
    Network network;
    network.layers.emplace_back(plain_layer(3, 5, 2), 8);
    network.layers.emplace_back(plain_layer(3, 5, 2), 9);
    const Network untouched = network;
    const std::vector<kofn_layer> good = network.views();
    const auto refused = [&](auto change) {
        std::vector<kofn_layer> views = good;
        change(views[1]);
        const bool all = kofn_cpu_sample(views.data(), 2, &draw, 2) == -2;
        return all && same_masks(network.layers[0], untouched.layers[0]);
    };
    CHECK(refused([](kofn_layer& layer) { layer.kept = 0; }));
    CHECK(refused([](kofn_layer& layer) { layer.kept = -1; }));
    CHECK(refused([](kofn_layer& layer) { layer.kept = 6; }));
    CHECK(refused([](kofn_layer& layer) { layer.layout.candidates = 0; }));
    CHECK(refused([](kofn_layer& layer) { layer.layout.candidates = (1 << 20) + 1; }));
    CHECK(refused([](kofn_layer& layer) { layer.effective_type = 2; }));
    CHECK(refused([](kofn_layer& layer) { layer.logits = nullptr; }));
    CHECK(refused([](kofn_layer& layer) { layer.latent = nullptr; }));
    CHECK(refused([](kofn_layer& layer) { layer.effective = nullptr; }));
    CHECK(refused([](kofn_layer& layer) { layer.mask = nullptr; }));
    CHECK(refused([](kofn_layer& layer) { layer.bits = nullptr; }));
    CHECK(refused([](kofn_layer& layer) { layer.indices = nullptr; }));
    const auto backward_refused = [&](auto change) {
        std::vector<kofn_layer> views = good;
        change(views[1]);
        return kofn_cpu_sample_backward(views.data(), 2, &draw, 2) == -2
            && network.layers[0].logit_gradient == untouched.layers[0].logit_gradient;
    };
    CHECK(backward_refused([](kofn_layer& layer) { layer.kept = 0; }));
    CHECK(backward_refused([](kofn_layer& layer) { layer.effective_gradient = nullptr; }));
    CHECK(backward_refused([](kofn_layer& layer) { layer.logit_gradient = nullptr; }));
    std::vector<kofn_layer> views = good;
    views[0].latent = nullptr;
    CHECK(kofn_cpu_apply(views.data(), 2, 1) == -1);
    views[0].latent_gradient = nullptr;
    CHECK(kofn_cpu_apply_backward(views.data(), 2, 0, 1) == -1);
    CHECK(kofn_cpu_use_variant("none") == 0);
}

/** Masking with any mask, not only one of k. */
void apply_masks() {
    std::mt19937_64 random(6);
    for (int i = 0; i < 300; ++i) {
        TestLayer expected(gradient_layer(random), random());
        for (int64_t c = 0; c < expected.mask.size(); ++c) {
            expected.mask[c] = random() % 3 == 0;
        }
        TestLayer found = expected;
        kofn_cpu_use_variant(variants()[random() % variants().size()].c_str());
        const bool dense = random() % 2 == 0;
        kofn_layer view = found.view();
        view.logits = nullptr;
        view.bits = nullptr;
        view.indices = nullptr;
        view.logit_gradient = view.temperature_gradient = nullptr;
        view.kept = 0;
        CHECK(kofn_cpu_apply(&view, 1, 2) == 0);
        CHECK(kofn_cpu_apply_backward(&view, 1, dense, 2) == 0);
        reference::apply(expected.view());
        reference::latent_gradient(expected.view(), dense);
        CHECK(found.effective == expected.effective && found.latent_gradient == expected.latent_gradient);
        CHECK(found.intact());
    }
}

/** How far a chi-square lies above its mean, in standard deviations (Wilson and Hilferty). */
double deviation_of(double chi_square, double degrees) {
    const double variance = 2.0 / (9.0 * degrees);
    return (std::cbrt(chi_square / degrees) - (1 - variance)) / std::sqrt(variance);
}

/** The probability that sampling without replacement ends with exactly this set (Plackett and Luce). */
double set_probability(const std::vector<double>& weights, uint64_t set, double remaining) {
    if (set == 0) {
        return 1;
    }
    double probability = 0;
    for (size_t j = 0; j < weights.size(); ++j) {
        if (set >> j & 1) {
            const double rest = set_probability(weights, set & ~(1ull << j), remaining - weights[j]);
            probability += weights[j] / remaining * rest;
        }
    }
    return probability;
}

/** Frequencies of all sets of k of n against Plackett–Luce. */
void frequencies_are_plackett_luce(int64_t n, int64_t k) {
    const int64_t draws = extended() ? 4000000 : 200000;
    TestLayer layer(plain_layer(draws, n, k), 10);
    std::vector<double> weights(static_cast<size_t>(n));
    double sum = 0;
    for (int64_t c = 0; c < n; ++c) {
        weights[c] = std::exp(static_cast<double>(layer.logits[c]));
        sum += weights[c];
    }
    for (int64_t i = n; i < layer.logits.size(); ++i) {
        layer.logits[i] = layer.logits[i - n];
    }
    const kofn_layer view = layer.view();
    const kofn_draw draw{31, 4, 1, 1, 0, 0};
    CHECK(kofn_cpu_sample(&view, 1, &draw, 2) == 0);
    std::map<uint64_t, int64_t> counts;
    for (int64_t g = 0; g < draws; ++g) {
        uint64_t set = 0;
        for (int64_t i = 0; i < k; ++i) {
            set |= 1ull << layer.indices[g * k + i];
        }
        ++counts[set];
    }
    double chi_square = 0, bins = 0, rare = 0, seen_rare = 0, all = 0;
    for (uint64_t set = 0; set < 1ull << n; set = set == 0 ? (1ull << k) - 1 : set + 1) {
        // The next larger number with k bits (Gosper).
        const uint64_t lowest = set & (~set + 1), ripple = set + lowest;
        if (set != 0) {
            const double expected = static_cast<double>(draws) * set_probability(weights, set, sum);
            const double seen = static_cast<double>(counts[set]);
            all += expected;
            if (expected >= 8) {
                chi_square += (seen - expected) * (seen - expected) / expected;
                bins += 1;
            } else {
                rare += expected;
                seen_rare += seen;
            }
            set = (((set ^ ripple) >> 2) / lowest | ripple) - 1;
        }
    }
    if (rare > 0) {
        chi_square += (seen_rare - rare) * (seen_rare - rare) / rare;
        bins += 1;
    }
    CHECK(std::abs(all / static_cast<double>(draws) - 1) < 1e-9);
    const double deviation = deviation_of(chi_square, bins - 1);
    std::printf("Plackett-Luce, %lld of %lld: %.0f bins, %.2f deviations\n", static_cast<long long>(k),
                static_cast<long long>(n), bins, deviation);
    CHECK(std::abs(deviation) < 4);
}

}  // namespace

int main() {
    std::printf("variants:");
    for (const std::string& variant : variants()) {
        std::printf(" %s", variant.c_str());
    }
    std::printf("\n");
    refusals_name_the_layer();
    masks_equal_the_reference();
    exactly_k_are_kept();
    double_precision_differs_only_by_rounding();
    apply_masks();
    frequencies_are_plackett_luce(5, 2);
    frequencies_are_plackett_luce(6, 3);
    frequencies_are_plackett_luce(40, 1);
    frequencies_are_plackett_luce(34, 2);
    return checks_summary("gumbel_topk_cpu_test");
}
