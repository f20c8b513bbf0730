#include <string>
#include <thread>

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

/** Runs one case with the variant in use; empty if it is refused. */
std::vector<float> run_case(const Case& c, const Layer& layer, int32_t batch, const std::vector<float>& x,
                            const std::vector<float>& residual, int32_t threads) {
    const kofn_linear view = layer.view();
    kofn_linear_plan* plan = nullptr;
    const int32_t opened = kofn_cpu_linear_open(&view, batch, c.precision, threads, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    const size_t count = static_cast<size_t>(batch) * layer.spec.outputs;
    Memory output(static_cast<int64_t>(count)), workspace(kofn_cpu_linear_workspace(plan));
    std::fill_n(output.data(), count, poison);
    std::fill_n(workspace.data(), workspace.size(), poison);
    const float* added = c.residual == Case::none ? nullptr : residual.data();
    if (c.residual == Case::in_place) {
        std::copy_n(residual.begin(), count, output.data());
        added = output.data();
    }
    CHECK(kofn_cpu_linear_run(plan, x.data(), output.data(), added, workspace.data(), threads) == KOFN_CONV_OK);
    CHECK(output.intact() && workspace.intact());
    CHECK(kofn_cpu_linear_bytes(plan) >= static_cast<int64_t>(layer.weights.size()) * 2);
    kofn_cpu_linear_close(plan);
    return {output.data(), output.data() + count};
}

/** One case in all variants, with one to three threads, and its first images as a batch of their own. */
void test_case(const Case& c, const std::vector<std::string>& names) {
    Random random(c.seed);
    const Spec& s = c.spec;
    const Layer layer(s, c.seed, c.whole);
    const auto x = with_poison(layer, random_values(random, static_cast<size_t>(c.batch) * s.inputs, c.whole));
    const size_t outputs = static_cast<size_t>(c.batch) * s.outputs;
    const std::vector<float> residual =
        c.residual == Case::none ? std::vector<float>() : random_values(random, outputs, c.whole);
    const Expected want = expected(layer, x, residual, c.batch, c.precision);
    std::vector<float> fused;  // what the variants with fused multiplication and addition agree on
    for (const std::string& name : names) {
        kofn_cpu_use_variant(name.c_str());
        const std::vector<float> y = run_case(c, layer, c.batch, x, residual, 1);
        bool close = y.size() == want.values.size();
        for (size_t i = 0; i < y.size() && close; ++i) {
            const double off = std::abs(static_cast<double>(y[i]) - want.values[i]);
            close = c.whole ? off == 0 : off <= want.bounds[i];
        }
        CHECK(close);
        if (!close) {
            std::fprintf(stderr, "%s: n %d k %d b %d O %d, batch %d, precision %d, residual %d\n", name.c_str(),
                         s.inputs, s.kept, s.share, s.outputs, c.batch, c.precision, c.residual);
        }
        CHECK(equal_bits(y, run_case(c, layer, c.batch, x, residual, 2)));
        const int32_t fewer = 1 + static_cast<int32_t>(c.seed % static_cast<uint64_t>(c.batch));
        const std::vector<float> first(y.begin(), y.begin() + static_cast<long>(fewer) * s.outputs);
        CHECK(equal_bits(first, run_case(c, layer, fewer, x, residual, 3)));
        if (name != "portable") {
            CHECK(fused.empty() || equal_bits(y, fused));
            fused = y;
        }
    }
}

/** Large enough for several threads: with any number of them, and runs at the same time, the bits are the same. */
void test_threads() {
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
            const auto x = random_values(random, static_cast<size_t>(batch) * s.inputs, false);
            kofn_linear_plan* plan = nullptr;
            CHECK(kofn_cpu_linear_open(&view, batch, KOFN_FP32, 3, &plan) == KOFN_CONV_OK);
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
    test_threads();
    test_refusals();
    return kofn::checks_summary("sparse_linear_cpu_test");
}
