#include <string>
#include <thread>

#include "../common/arithmetic.h"
#include "../common/check.h"
#include "../common/variants.h"
#include "../sparse_conv/fixture.h"
#include "fixture.h"

/**
 * The linear layer of the CPU against its definition in double precision, on shapes drawn at random; all variants and
 * numbers of threads. KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::linear {
namespace {

using conv::Memory;

constexpr float poison = std::numeric_limits<float>::quiet_NaN();

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/** The given inputs, but poison where no list leads to: what is dropped must not be read. */
std::vector<float> with_poison(const Layer& layer, std::vector<float> x) {
    std::vector<bool> kept(static_cast<size_t>(layer.spec.inputs));
    for (const int32_t i : layer.indices) {
        kept[static_cast<size_t>(i)] = true;
    }
    for (size_t i = 0; i < x.size(); ++i) {
        x[i] = kept[i % kept.size()] ? x[i] : poison;
    }
    return x;
}

/** Floats as a plan of some precision stores them, and back. */
void store(const std::vector<float>& from, size_t count, int32_t precision, float* to) {
    if (precision == KOFN_BF16) {
        std::transform(from.begin(), from.begin() + static_cast<long>(count), reinterpret_cast<uint16_t*>(to),
                       [](float value) { return to_bfloat16(value); });
    } else {
        std::copy_n(from.begin(), count, to);
    }
}

std::vector<float> loaded(const float* from, size_t count, int32_t precision) {
    std::vector<float> values(from, from + (precision == KOFN_BF16 ? 0 : count));
    if (precision == KOFN_BF16) {
        const auto* halves = reinterpret_cast<const uint16_t*>(from);
        std::transform(halves, halves + count, std::back_inserter(values),
                       [](uint16_t half) { return from_bfloat16(half); });
    }
    return values;
}

/** Runs one case with the variant in use; empty if it is refused. */
std::vector<float> run_case(const Case& c, const Layer& layer, int32_t batch, const std::vector<float>& x,
                            const std::vector<float>& residual, int32_t threads, int32_t precision) {
    const kofn_linear view = layer.view();
    kofn_linear_plan* plan = nullptr;
    const int32_t opened = kofn_cpu_linear_open(&view, batch, precision, threads, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    const size_t inputs = static_cast<size_t>(batch) * layer.spec.inputs;
    const size_t count = static_cast<size_t>(batch) * layer.spec.outputs;
    const int64_t elements_of_float = precision == KOFN_BF16 ? 2 : 1;
    const auto floats = [&](size_t elements) {
        return (static_cast<int64_t>(elements) + elements_of_float - 1) / elements_of_float;
    };
    Memory input(floats(inputs)), output(floats(count)), other(floats(count));
    Memory workspace(kofn_cpu_linear_workspace(plan));
    store(x, inputs, precision, input.data());
    std::fill_n(output.data(), output.size(), poison);
    std::fill_n(workspace.data(), workspace.size(), poison);
    float* added = c.residual == Case::none ? nullptr : c.residual == Case::apart ? other.data() : output.data();
    if (added != nullptr) {
        store(residual, count, precision, added);
    }
    CHECK(kofn_cpu_linear_run(plan, input.data(), output.data(), added, workspace.data(), threads) == KOFN_CONV_OK);
    CHECK(input.intact() && output.intact() && other.intact() && workspace.intact());
    const auto weights = static_cast<int64_t>(layer.weights.size());
    CHECK(kofn_cpu_linear_bytes(plan) >= weights * (4 / elements_of_float));
    kofn_cpu_linear_close(plan);
    return loaded(output.data(), count, precision);
}

std::vector<float> rounded(std::vector<float> values, int32_t precision) {
    if (precision == KOFN_BF16) {
        std::transform(values.begin(), values.end(), values.begin(), to_bf16);
    }
    return values;
}

/**
 * One case in all variants, with one to three threads, and its first images as a batch of their own. In bf16 the result
 * is that of fp32 for what is stored, rounded once.
 */
void test_case(const Case& c, const std::vector<std::string>& names) {
    Random random(c.seed);
    const Spec& s = c.spec;
    const Layer layer(s, c.seed, c.whole);
    Layer stored = layer;
    stored.weights = rounded(layer.weights, c.precision);
    const auto values = rounded(random_values(random, static_cast<size_t>(c.batch) * s.inputs, c.whole), c.precision);
    const auto x = with_poison(layer, values);
    const size_t outputs = static_cast<size_t>(c.batch) * s.outputs;
    const std::vector<float> residual = c.residual == Case::none
        ? std::vector<float>()
        : rounded(random_values(random, outputs, c.whole), c.precision);
    const Expected want = expected(layer, x, residual, c.batch, c.precision);
    std::vector<float> fused;  // what the variants with fused multiplication and addition agree on
    for (const std::string& name : names) {
        kofn_cpu_use_variant(name.c_str());
        const std::vector<float> sums = run_case(c, stored, c.batch, x, residual, 1, KOFN_FP32);
        bool close = sums.size() == want.values.size();
        for (size_t i = 0; i < sums.size() && close; ++i) {
            const double off = std::abs(static_cast<double>(sums[i]) - want.values[i]);
            close = c.whole ? off == 0 : off <= want.bounds[i];
        }
        const std::vector<float> y = rounded(sums, c.precision);
        close = close && equal_bits(y, run_case(c, layer, c.batch, x, residual, 1, c.precision));
        CHECK(close);
        if (!close) {
            std::fprintf(stderr, "%s: n %d k %d b %d O %d, batch %d, precision %d, residual %d\n", name.c_str(),
                         s.inputs, s.kept, s.share, s.outputs, c.batch, c.precision, c.residual);
        }
        CHECK(equal_bits(y, run_case(c, layer, c.batch, x, residual, 2, c.precision)));
        const int32_t fewer = 1 + static_cast<int32_t>(c.seed % static_cast<uint64_t>(c.batch));
        const std::vector<float> first(y.begin(), y.begin() + static_cast<long>(fewer) * s.outputs);
        CHECK(equal_bits(first, run_case(c, layer, fewer, x, residual, 3, c.precision)));
        if (name != "portable") {
            CHECK(fused.empty() || equal_bits(y, fused));
            fused = y;
        }
    }
}

/** Large enough for several threads: with any number of them, and runs at the same time, the bits are the same. */
void test_threads(int32_t precision) {
    for (const int32_t batch : {1, 40}) {
        for (const int32_t share : {1, 64}) {
            Spec s;
            s.inputs = 2000;
            s.outputs = 2048;
            s.share = share;
            s.kept = 900;
            const Layer layer(s, 1, false);
            const kofn_linear view = layer.view();
            Random random(2);
            const auto values = random_values(random, static_cast<size_t>(batch) * s.inputs, false);
            std::vector<float> x(values.size());
            store(values, values.size(), precision, x.data());
            kofn_linear_plan* plan = nullptr;
            CHECK(kofn_cpu_linear_open(&view, batch, precision, 3, &plan) == KOFN_CONV_OK);
            std::vector<std::vector<float>> results(6);
            std::vector<std::thread> threads;
            for (size_t t = 0; t < results.size(); ++t) {
                threads.emplace_back([&, t] {
                    std::vector<float>& y = results[t];
                    y.resize(static_cast<size_t>(batch) * s.outputs);
                    Memory workspace(kofn_cpu_linear_workspace(plan));
                    for (int run = 0; run < 5; ++run) {
                        kofn_cpu_linear_run(plan, x.data(), y.data(), nullptr, workspace.data(),
                                            1 + static_cast<int32_t>(t % 3));
                    }
                });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
            for (const auto& y : results) {
                CHECK(equal_bits(y, results[0]));
            }
            kofn_cpu_linear_close(plan);
        }
    }
}

/** A layer in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    float weights[4] = {};
    kofn_linear linear{4, 2, 1, 2, KOFN_IDENTITY, indices, weights, nullptr};
    int32_t batch = 1, precision = KOFN_FP32, threads = 2;

    /** The status; a refusal must leave the plan's pointer alone. */
    int32_t open() {
        kofn_linear_plan* const untouched = reinterpret_cast<kofn_linear_plan*>(this);
        kofn_linear_plan* plan = untouched;
        const int32_t status = kofn_cpu_linear_open(&linear, batch, precision, threads, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cpu_linear_close(plan);
        } else {
            CHECK(plan == untouched);
        }
        return status;
    }
};

template <class Spoil>
int32_t opened(Spoil spoil) {
    Request request;
    spoil(request);
    return request.open();
}

void test_refusals() {
    CHECK(opened([](Request&) {}) == KOFN_CONV_OK);
    for (const int32_t bad : {0, -1, 5}) {
        CHECK(opened([=](Request& r) { r.linear.kept = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {0, -1, 3, 4}) {
        CHECK(opened([=](Request& r) { r.linear.share = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {-1, 4, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.indices[3] = bad; }) == KOFN_CONV_INDEX);
        CHECK(opened([=](Request& r) { r.indices[0] = bad; }) == KOFN_CONV_INDEX);
    }
    CHECK(opened([](Request& r) { r.indices[1] = 0; }) == KOFN_CONV_INDEX);  // twice
    CHECK(opened([](Request& r) { std::swap(r.indices[2], r.indices[3]); }) == KOFN_CONV_INDEX);
    CHECK(opened([](Request& r) { r.linear.indices = nullptr; }) == KOFN_CONV_NULL);
    CHECK(opened([](Request& r) { r.linear.weights = nullptr; }) == KOFN_CONV_NULL);
    for (const int32_t bad : {0, -1, INT32_MAX}) {
        CHECK(opened([=](Request& r) { r.linear.inputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.linear.outputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.batch = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.threads = bad; }) == KOFN_CONV_THREADS);
    }
    CHECK(opened([](Request& r) { r.linear.activation = 3; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) { r.precision = KOFN_TF32; }) == KOFN_CONV_SHAPE);

    Request request;
    kofn_linear_plan* plan = nullptr;
    CHECK(kofn_cpu_linear_open(nullptr, 1, KOFN_FP32, 1, &plan) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_linear_open(&request.linear, 1, KOFN_FP32, 1, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_linear_open(&request.linear, 1, KOFN_FP32, 2, &plan) == KOFN_CONV_OK);
    const float x[4] = {};
    float y[2] = {7, 7};
    CHECK(kofn_cpu_linear_run(nullptr, x, y, nullptr, nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_linear_run(plan, nullptr, y, nullptr, nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_linear_run(plan, x, nullptr, nullptr, nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_linear_run(plan, x, y, nullptr, nullptr, 0) == KOFN_CONV_THREADS);
    CHECK(kofn_cpu_linear_run(plan, x, y, nullptr, nullptr, 3) == KOFN_CONV_THREADS);
    CHECK(y[0] == 7 && y[1] == 7);
    kofn_cpu_linear_close(plan);
}

}  // namespace
}  // namespace kofn::linear

int main(int count, char** arguments) {
    using namespace kofn::linear;
    const std::string best = kofn_cpu_variant();
    const std::vector<std::string>& names = kofn::variants();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 4000 : 300;
    for (int i = 0; i < cases; ++i) {
        test_case(random_case(random), names);
    }
    kofn_cpu_use_variant(best.c_str());
    test_threads(KOFN_FP32);
    test_threads(KOFN_BF16);
    test_refusals();
    return kofn::checks_summary("sparse_linear_cpu_test");
}
