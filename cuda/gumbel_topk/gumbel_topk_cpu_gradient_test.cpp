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

/** The gradients of the CPU's variants: bit-equal to each other, and right, against double precision. */
using namespace kofn;

namespace {

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

}  // namespace

int main() {
    closed_form_is_the_gradient();
    gradients_are_right();
    optional_tensors_may_be_null();
    return checks_summary("gumbel_topk_cpu_gradient_test");
}
