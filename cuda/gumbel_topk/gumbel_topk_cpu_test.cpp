#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../common/check.h"
#include "fixture.h"
#include "gumbel_topk.h"
#include "reference.h"

/**
 * The CPU's variants against the plain version: masks bit for bit, gradients against double precision, and what neither
 * of the two can show, the frequencies of the masks.
 */
using namespace kofn;

namespace {

const std::vector<std::string>& variants() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> here;
        for (const char* name : {"portable", "avx2", "avx512"}) {
            if (kofn_cpu_use_variant(name) != 0) {
                here.push_back(name);
            }
        }
        return here;
    }();
    return names;
}

/** Several layers for one call. */
struct Network {
    std::vector<TestLayer> layers;

    std::vector<kofn_layer> views() {
        std::vector<kofn_layer> views;
        for (TestLayer& layer : layers) {
            views.push_back(layer.view());
        }
        return views;
    }

    bool intact() const {
        return std::all_of(layers.begin(), layers.end(), [](const TestLayer& layer) { return layer.intact(); });
    }

    int64_t groups() const {
        int64_t sum = 0;
        for (const TestLayer& layer : layers) {
            sum += layer.groups;
        }
        return sum;
    }
};

Network random_network(std::mt19937_64& random, LayerSpec (*spec)(std::mt19937_64&), int layers) {
    Network network;
    for (int i = 0; i < layers; ++i) {
        network.layers.emplace_back(spec(random), random());
    }
    return network;
}

kofn_draw random_draw(std::mt19937_64& random) {
    const float scales[] = {1, 1, 1, 0.5f, 0};
    return {random(), static_cast<uint32_t>(random()), 1, scales[random() % 5], 0, 0};
}

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

/** One layer and one call, for the tests below. */
LayerSpec plain_layer(int64_t outputs, int64_t inputs, int64_t kept) {
    LayerSpec spec;
    spec.outputs = outputs;
    spec.inputs = inputs;
    spec.kept = kept;
    return spec;
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

/** u of a group from its definition, k softmaxes over what is not yet drawn, at O(nk). */
std::vector<double> gradient_by_softmaxes(const std::vector<double>& s, const std::vector<double>& v, int64_t k) {
    const size_t n = s.size();
    const std::vector<int32_t> order = reference::largest(s, k);
    std::vector<char> drawn(n, 0);
    std::vector<double> u(n, 0.0);
    for (int64_t t = 0; t < k; ++t) {
        double normaliser = 0, mean = 0;
        for (size_t j = 0; j < n; ++j) {
            if (!drawn[j]) {
                normaliser += std::exp(s[j] - s[order[t]]);
                mean += std::exp(s[j] - s[order[t]]) * v[j];
            }
        }
        mean /= normaliser;
        for (size_t j = 0; j < n; ++j) {
            if (!drawn[j]) {
                u[j] += std::exp(s[j] - s[order[t]]) / normaliser * (v[j] - mean);
            }
        }
        drawn[order[t]] = 1;
    }
    return u;
}

/** The closed form in double precision against the definition. */
void closed_form_is_the_gradient() {
    std::mt19937_64 random(4);
    std::normal_distribution<double> normal;
    double worst = 0;
    for (int i = 0; i < 2000; ++i) {
        const size_t n = 1 + random() % 40;
        const int64_t k = 1 + static_cast<int64_t>(random() % n);
        const double temperature = std::array<double, 4>{5, 1, 0.5, 0.1}[random() % 4];
        std::vector<double> s(n), v(n);
        for (size_t j = 0; j < n; ++j) {
            s[j] = 3 * normal(random) / temperature;
            v[j] = normal(random);
        }
        const std::vector<double> expected = gradient_by_softmaxes(s, v, k);
        const std::vector<double> found = reference::relaxed_gradient(s, v, reference::largest(s, k));
        for (size_t j = 0; j < n; ++j) {
            worst = std::max(worst, std::abs(found[j] - expected[j]));
        }
    }
    std::printf("closed form: within %.1e of its definition\n", worst);
    CHECK(worst < 1e-13);
}

/** What was seen of the errors of gradients. */
struct Errors {
    double of_group = 0;       /* relative to the group's largest, where that is well-conditioned */
    double of_element = 0;     /* relative to the element itself, where it is more than 1e-3 of the largest */
    double of_temperature = 0; /* relative to the amounts of its terms */
    int64_t groups = 0, ill_conditioned = 0; /* those that are not within 1e-5 */
};

/** Σ |∂L/∂Weff·W| of a candidate. */
double terms_of_sum(const kofn_layer& layer, int64_t group, int64_t candidate) {
    double sum = 0;
    for (int64_t e = 0; e < reference::elements(layer.layout); ++e) {
        const int64_t at = reference::offset(layer.layout, group, candidate, e);
        sum += std::abs(static_cast<double>(reference::effective_gradient(layer, at)) * layer.latent[at]);
    }
    return sum;
}

/**
 * Checks a group's gradients: within 1e-5 of the largest in double precision. Where no single precision can do that,
 * because v is what remains of large terms and two of them nearly cancel again, what one rounding of each term would
 * change is allowed on top.
 */
void check_group(const kofn_layer& layer, const kofn_draw& draw, int64_t group, std::mt19937_64& random,
                 Errors& errors) {
    const std::vector<float> single = reference::scores(layer, draw, group);
    std::vector<double> y(single.begin(), single.end());
    const std::vector<double> v = reference::candidate_sums<double>(layer, group);
    const reference::GroupGradients<double> exact = reference::backward(layer, draw, group, y, v);
    const std::vector<int32_t> order = reference::largest(y, layer.kept);
    const double last = y[order.back()];
    kofn_draw without_entropy = draw;
    without_entropy.entropy = 0;
    const reference::GroupGradients<double> relaxed = reference::backward(layer, without_entropy, group, y, v);
    double largest = 0, steepest = 0, farthest = 0, amount = 0;
    for (size_t c = 0; c < y.size(); ++c) {
        // Sample and entropy may cancel; each counts.
        largest = std::max(largest, std::abs(relaxed.logits[c]) + std::abs(exact.logits[c] - relaxed.logits[c]));
        steepest = std::max(steepest, std::abs(relaxed.logits[c]));
        farthest = std::max(farthest, std::abs(y[c] - last) / draw.temperature);
        amount += std::abs(relaxed.logits[c] * (y[c] - last) / draw.temperature);
    }
    // An error of 1e-5 of the largest u may stand before any s_j − s_k; beyond 100, no u is left.
    amount += steepest * std::min(100.0, farthest);
    double temperature_condition = 0;
    double condition = 0;
    for (int shake = 0; shake < 2; ++shake) {
        std::vector<double> shaken = v;
        for (size_t c = 0; c < y.size(); ++c) {
            const bool up = shake == 0 ? c % 2 == 0 : random() % 2 == 0;
            shaken[c] += (up ? 0x1p-24 : -0x1p-24) * terms_of_sum(layer, group, static_cast<int64_t>(c));
        }
        const reference::GroupGradients<double> moved = reference::backward(layer, draw, group, y, shaken);
        for (size_t c = 0; c < y.size(); ++c) {
            condition = std::max(condition, std::abs(moved.logits[c] - exact.logits[c]));
        }
        temperature_condition = std::max(temperature_condition, std::abs(moved.temperature - exact.temperature));
    }
    const float* found = layer.logit_gradient + group * layer.layout.candidates;
    bool within = true;
    for (size_t c = 0; c < y.size(); ++c) {
        const double error = std::abs(found[c] - exact.logits[c]);
        CHECK(is_finite(found[c]));
        CHECK(error <= 1e-5 * largest + condition + 1e-36);
        within &= error <= 1e-5 * largest + 1e-36;
        if (largest > 1e-30 && condition < 1e-6 * largest) {
            errors.of_group = std::max(errors.of_group, error / largest);
            if (std::abs(exact.logits[c]) > 1e-3 * largest) {
                errors.of_element = std::max(errors.of_element, error / std::abs(exact.logits[c]));
            }
        }
    }
    errors.groups += 1;
    errors.ill_conditioned += within ? 0 : 1;
    if (layer.temperature_gradient != nullptr) {
        const double error = std::abs(layer.temperature_gradient[group] - exact.temperature);
        CHECK(is_finite(layer.temperature_gradient[group]));
        CHECK(error <= 1e-5 * amount + temperature_condition + 1e-36);
        if (amount > 1e-30 && temperature_condition < 1e-6 * amount) {
            errors.of_temperature = std::max(errors.of_temperature, error / amount);
        }
    }
}

LayerSpec gradient_layer(std::mt19937_64& random) {
    LayerSpec spec = random_layer(random);
    while (spec.weights() > 1000000) {
        spec = random_layer(random);
    }
    if (random() % 3 == 0) {
        spec.logits = Logits::ties;  // without noise, the order of equal winners shows in their gradients
    }
    return spec;
}

bool same_gradients(const TestLayer& a, const TestLayer& b) {
    return a.logit_gradient == b.logit_gradient && a.latent_gradient == b.latent_gradient
        && a.temperature_gradient == b.temperature_gradient;
}

/** Gradients of random layers: bit-equal for all variants and threads, and right. */
void gradients_are_right() {
    const int rounds = extended() ? 400 : 20;
    std::mt19937_64 random(5);
    std::map<float, Errors> errors;
    for (int round = 0; round < rounds; ++round) {
        for (float temperature : {5.0f, 1.0f, 0.5f, 0.1f}) {
            const Network untouched = random_network(random, gradient_layer, 4);
            kofn_draw draw = random_draw(random);
            draw.temperature = temperature;
            draw.noise = random() % 3 == 0 ? 0.0f : draw.noise;
            draw.dense_gradient = static_cast<int32_t>(random() % 2);
            draw.entropy = random() % 3 == 0 ? 0.02f : 0.0f;
            std::vector<Network> found;
            for (size_t i = 0; i < variants().size() + 1; ++i) {
                kofn_cpu_use_variant(variants()[std::min(i, variants().size() - 1)].c_str());
                found.push_back(untouched);
                const std::vector<kofn_layer> views = found.back().views();
                const int32_t count = static_cast<int32_t>(views.size());
                const int threads = 1 + (round + static_cast<int>(i)) % 3;
                CHECK(kofn_cpu_sample(views.data(), count, &draw, threads) == 0);
                CHECK(kofn_cpu_sample_backward(views.data(), count, &draw, threads) == 0);
                CHECK(found.back().intact());
                for (size_t l = 0; l < found.back().layers.size(); ++l) {
                    CHECK(same_gradients(found.back().layers[l], found.front().layers[l]));
                }
            }
            Network expected = found.front();
            for (size_t l = 0; l < expected.layers.size(); ++l) {
                const kofn_layer view = expected.layers[l].view();
                reference::latent_gradient(view, draw.dense_gradient != 0);
                CHECK(expected.layers[l].latent_gradient == found.front().layers[l].latent_gradient);
                for (int64_t g = 0; g < expected.layers[l].groups; g += 1 + expected.layers[l].groups / 20) {
                    check_group(view, draw, g, random, errors[temperature]);
                }
            }
        }
    }
    for (const auto& [temperature, worst] : errors) {
        std::printf("gradients, temperature %.1f: worst error %.1e of the group's largest, %.1e of an element above "
                    "1e-3 of that, %.1e of the temperature's; %lld of %lld groups ill-conditioned\n",
                    static_cast<double>(temperature), worst.of_group, worst.of_element, worst.of_temperature,
                    static_cast<long long>(worst.ill_conditioned), static_cast<long long>(worst.groups));
    }
}

/** Tensors that may be left out are neither read nor written. */
void optional_tensors_may_be_null() {
    const kofn_draw draw{5, 6, 0.5f, 1, 0.01f, 0};
    for (int64_t n : {4, 100}) {
        TestLayer whole(plain_layer(20, n, n / 4), 7);
        TestLayer part = whole;
        const kofn_layer view = whole.view();
        kofn_layer without = part.view();
        without.latent_gradient = nullptr;
        without.temperature_gradient = nullptr;
        for (const kofn_layer* layer : {&view, static_cast<const kofn_layer*>(&without)}) {
            CHECK(kofn_cpu_sample(layer, 1, &draw, 1) == 0);
            CHECK(kofn_cpu_sample_backward(layer, 1, &draw, 1) == 0);
        }
        CHECK(whole.logit_gradient == part.logit_gradient);
        CHECK(part.latent_gradient != whole.latent_gradient);
        CHECK(part.temperature_gradient != whole.temperature_gradient);
    }
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
    closed_form_is_the_gradient();
    gradients_are_right();
    optional_tensors_may_be_null();
    apply_masks();
    frequencies_are_plackett_luce(5, 2);
    frequencies_are_plackett_luce(6, 3);
    frequencies_are_plackett_luce(40, 1);
    frequencies_are_plackett_luce(34, 2);
    return checks_summary("gumbel_topk_cpu_test");
}
