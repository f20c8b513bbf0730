#include <string>

#include "../sparse_conv/method_test.cuh"
#include "fixture.h"
#include "sparse_linear_cuda.h"

/**
 * The CUDA kernels against the definition in double precision, and bit for bit on whole numbers. Built twice: with
 * KOFN_EMULATED for the emulation, else for a real GPU. KOFN_EXTENDED=1 draws many more cases.
 */
namespace kofn::linear {
namespace {

using conv::OnDevice;
using conv::same_bits;

constexpr float poison = std::numeric_limits<float>::quiet_NaN();

/** How many cases ran with so many images at a time (1, 2, 4 … 32), and how many of them with bitmaps. */
int images_at_once[6], with_bitmaps;

/** A case's tensors. Inputs that no list leads to are poison: they may be read, but not multiplied. */
struct Tensors {
    std::vector<float> x, residual;

    Tensors(const Case& c, const Layer& layer) {
        Random random(c.seed);
        const Spec& s = c.spec;
        x = conv::rounded(random_values(random, static_cast<size_t>(c.batch) * s.inputs, c.whole), c.precision);
        const size_t added = c.residual == Case::none ? 0 : static_cast<size_t>(c.batch) * s.outputs;
        residual = conv::rounded(random_values(random, added, c.whole), c.precision);
        std::vector<bool> kept(static_cast<size_t>(s.inputs));
        for (const int32_t i : layer.indices) {
            kept[static_cast<size_t>(i)] = true;
        }
        for (size_t i = 0; i < x.size(); ++i) {
            x[i] = kept[i % kept.size()] ? x[i] : poison;
        }
    }
};

/** The output of one run; empty if the plan was refused. Tensors begin so many elements into memory. */
std::vector<float> run(const Case& c, const Layer& layer, const Tensors& tensors, size_t offset, std::string& words) {
    const kofn_linear view = layer.view();
    kofn_cuda_linear_plan* plan = nullptr;
    const int32_t opened = kofn_cuda_linear_open(&view, c.batch, c.precision, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    words = kofn_cuda_linear_describe(plan);
    CHECK(kofn_cuda_linear_bytes(plan) >= static_cast<int64_t>(layer.weights.size()) * 2);
    const size_t count = static_cast<size_t>(c.batch) * c.spec.outputs;
    const size_t bytes = offset * (c.precision == KOFN_BF16 ? 2 : 4);
    const std::vector<float> nothing(count, poison);
    const auto input = conv::stored(tensors.x, c.precision), added = conv::stored(tensors.residual, c.precision);
    OnDevice x(input, bytes), other(added, bytes);
    OnDevice y(c.residual == Case::in_place ? added : conv::stored(nothing, c.precision), bytes);
    const void* residual = c.residual == Case::none ? nullptr : c.residual == Case::apart ? other.data() : y.data();
    CHECK(kofn_cuda_linear_run(plan, x.data(), y.data(), residual, nullptr) == KOFN_CONV_OK);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(x.fetch() == input && other.fetch() == added);
    kofn_cuda_linear_close(plan);
    return conv::loaded(y.fetch(), c.precision);
}

/** One case; then, bit for bit, at other addresses and, under emulation, as a GPU of many multiprocessors runs it. */
void test_case(const Case& c) {
    const Layer layer(c.spec, c.seed, c.whole);
    const Tensors tensors(c, layer);
    const Expected want = expected(layer, tensors.x, tensors.residual, c.batch, c.precision);
    std::string words;
    const std::vector<float> y = run(c, layer, tensors, 0, words);
    bool close = y.size() == want.values.size();
    for (size_t i = 0; i < y.size() && close; ++i) {
        close = c.whole ? y[i] == conv::rounded(static_cast<float>(want.values[i]), c.precision)
                        : std::abs(y[i] - want.values[i])
                <= want.bounds[i] + std::abs(want.values[i]) * (c.precision == KOFN_BF16 ? 0x1p-8 : 0);
    }
    CHECK(close);
#if defined(KOFN_EMULATED)
    const int multiprocessors = std::exchange(emulation::device().multiprocessors, c.seed % 2 == 0 ? 7 : 1000);
#endif
    const bool same = same_bits(y, run(c, layer, tensors, 3, words));
    CHECK(same);
#if defined(KOFN_EMULATED)
    emulation::device().multiprocessors = multiprocessors;
#endif
    int power = 0;
    while (power < 5 && 1 << power < c.batch) {
        ++power;
    }
    CHECK(words.rfind(std::to_string(1 << power) + (power == 0 ? " image, " : " images, "), 0) == 0);
    CHECK(words.find(c.precision == KOFN_BF16 ? ", bf16" : ", fp32") != std::string::npos);
    ++images_at_once[power];
    with_bitmaps += words.find(", bitmaps, ") != std::string::npos ? 1 : 0;
    if (!close || !same) {
        std::fprintf(stderr, "%s: n %d k %d b %d O %d, batch %d, residual %d, whole %d\n", words.c_str(), c.spec.inputs,
                     c.spec.kept, c.spec.share, c.spec.outputs, c.batch, c.residual, c.whole);
    }
}

/** Every number of images, several segments, and the densities at which lists and bitmaps change places. */
void segments_and_densities() {
    for (const int32_t batch : {1, 2, 3, 8, 11, 33}) {
        for (const int32_t inputs : {12287, 12288, 12289, 25000}) {
            for (const int32_t kept : {5, inputs / 5, inputs / 2}) {
                if (batch > 2 && kept > inputs / 5) {
                    continue;
                }
                Case c{};
                c.spec.inputs = inputs;
                c.spec.outputs = 3;
                c.spec.kept = kept;
                c.batch = batch;
                c.precision = kept % 2 == 0 ? KOFN_FP32 : KOFN_BF16;
                c.seed = static_cast<uint64_t>(batch + inputs);
                test_case(c);
            }
        }
    }
    const auto described = [](int32_t kept, int32_t batch, int32_t precision) {
        Spec s;
        s.inputs = 256;
        s.kept = kept;
        const Layer layer(s, 1, false);
        const kofn_linear view = layer.view();
        kofn_cuda_linear_plan* plan = nullptr;
        CHECK(kofn_cuda_linear_open(&view, batch, precision, &plan) == KOFN_CONV_OK);
        const std::string words = kofn_cuda_linear_describe(plan);
        kofn_cuda_linear_close(plan);
        return words;
    };
    CHECK(described(48, 1, KOFN_FP32) == "1 image, lists, segments of 256, fp32");
    CHECK(described(49, 1, KOFN_FP32) == "1 image, bitmaps, segments of 256, fp32");
    CHECK(described(72, 4, KOFN_BF16) == "4 images, lists, segments of 256, bf16");
    CHECK(described(73, 3, KOFN_BF16) == "4 images, bitmaps, segments of 256, bf16");
    CHECK(described(256, 5, KOFN_BF16) == "8 images, lists, segments of 256, bf16");
}

/** A layer in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    float weights[4] = {};
    kofn_linear linear{4, 2, 1, 2, KOFN_IDENTITY, indices, weights, nullptr};
    int32_t batch = 1, precision = KOFN_FP32;

    Request() = default;
    Request(const Request&) = delete; // the description points into it
    Request& operator=(const Request&) = delete;

    /** The status; a refusal must leave the plan's pointer alone. */
    int32_t open() {
        kofn_cuda_linear_plan* const untouched = reinterpret_cast<kofn_cuda_linear_plan*>(this);
        kofn_cuda_linear_plan* plan = untouched;
        const int32_t status = kofn_cuda_linear_open(&linear, batch, precision, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cuda_linear_close(plan);
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

void refusals() {
    for (const int32_t precision : {KOFN_FP32, KOFN_BF16}) {
        CHECK(opened([=](Request& r) { r.precision = precision; }) == KOFN_CONV_OK);
    }
    for (const int32_t bad : {-1, int32_t{KOFN_TF32}, 3}) {
        CHECK(opened([=](Request& r) { r.precision = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {-1, 3}) {
        CHECK(opened([=](Request& r) { r.linear.activation = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {0, -1, (1 << 20) + 1, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.batch = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.linear.inputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.linear.outputs = bad; }) == KOFN_CONV_SHAPE);
    }
    // 2³¹ elements of input, and of output.
    CHECK(opened([](Request& r) { r.linear.inputs = 1 << 20, r.batch = 1 << 11; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) {
        r.linear.outputs = r.linear.share = 1 << 20, r.batch = 1 << 11;
    }) == KOFN_CONV_SHAPE);
    for (const int32_t bad : {0, -1, 5}) {
        CHECK(opened([=](Request& r) { r.linear.kept = bad; }) == KOFN_CONV_KEPT);
        CHECK(opened([=](Request& r) { r.linear.share = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {-1, 4, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.indices[3] = bad; }) == KOFN_CONV_INDEX);
        CHECK(opened([=](Request& r) { r.indices[0] = bad; }) == KOFN_CONV_INDEX);
    }
    CHECK(opened([](Request& r) { r.indices[1] = 0; }) == KOFN_CONV_INDEX); // twice
    CHECK(opened([](Request& r) { r.linear.indices = nullptr; }) == KOFN_CONV_NULL);
    CHECK(opened([](Request& r) { r.linear.weights = nullptr; }) == KOFN_CONV_NULL);

    Request request;
    kofn_cuda_linear_plan* plan = nullptr;
    CHECK(kofn_cuda_linear_open(nullptr, 1, KOFN_FP32, &plan) == KOFN_CONV_NULL && plan == nullptr);
    CHECK(kofn_cuda_linear_open(&request.linear, 1, KOFN_FP32, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_linear_open(&request.linear, 1, KOFN_FP32, &plan) == KOFN_CONV_OK);
    float memory[4] = {};
    CHECK(kofn_cuda_linear_run(nullptr, memory, memory, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_linear_run(plan, nullptr, memory, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_linear_run(plan, memory, nullptr, nullptr, nullptr) == KOFN_CONV_NULL);
#if defined(KOFN_EMULATED)
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(kofn_cuda_linear_run(plan, memory, memory, nullptr, nullptr) == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(request.open() == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorMemoryAllocation;
    CHECK(request.open() == KOFN_CONV_MEMORY);
    CHECK(request.open() == KOFN_CONV_OK); // nothing of it is left
#endif
    kofn_cuda_linear_close(plan);
    kofn_cuda_linear_close(nullptr);
}

}  // namespace
}  // namespace kofn::linear

int main(int count, char** arguments) {
    using namespace kofn::linear;
    refusals();
    segments_and_densities();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 3000 : 300;
    for (int i = 0; i < cases; ++i) {
        test_case(random_case(random));
    }
    for (const int of : images_at_once) {
        CHECK(of >= cases / 50);
    }
    CHECK(with_bitmaps >= cases / 10);
    return kofn::checks_summary("sparse_linear_cuda_test");
}
