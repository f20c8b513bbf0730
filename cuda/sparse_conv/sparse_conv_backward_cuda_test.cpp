#include <map>

#include "backward_reference.h"
#include "method_test.cuh"
#include "sparse_conv_backward_cuda.h"

/**
 * The calls of sparse_conv_backward_cuda.h against the definition in double precision, on shapes drawn at random in all
 * precisions; the same bits on devices of different size; what is refused. Built twice: with KOFN_EMULATED for the
 * emulation, else for a real GPU. KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

/** Counts which patches ran in which pass, and parts and phases that are worth a test. */
std::map<std::string, int> seen;

struct Gradients {
    std::vector<float> input, weights, bias;
};

/** Devices of different size, whatever runs the test: tiles differ, and so does how far the ring wraps around. */
void some_device([[maybe_unused]] Random& random) {
#if defined(KOFN_EMULATED)
    const int32_t multiprocessors[] = {1, 2, 16, 132}, kilobytes[] = {99, 163, 227};
    emulation::device().multiprocessors = pick(random, multiprocessors);
    emulation::device().shared_bytes = pick(random, kilobytes) * 1024;
#endif
}

/** What describe() says of each pass. */
void count_plan(const std::string& words) {
    const size_t middle = words.find(", weights ");
    const auto patch = [](const std::string& tile) { // the last two numbers of "direct 32x8x7x8"
        const std::string numbers = tile.substr(0, tile.find(' ', tile.find("direct ") + 7));
        return numbers.substr(numbers.rfind('x', numbers.rfind('x') - 1) + 1);
    };
    const std::string data = words.substr(5, middle - 5), weights = words.substr(middle + 10);
    ++seen[data == "zeros" ? data : "data " + patch(data)];
    ++seen["weights " + patch(weights.substr(0, weights.find(',')))];
    seen["phases"] += data.find(" phases") != std::string::npos;
    seen["one part"] += weights.find(" in 1 part,") != std::string::npos;
}

/** A case on the device. Inputs that no list keeps are poison where they must not be read. */
class BackwardCase {
public:
    BackwardCase(const Case& of, int32_t precision)
        : case_(of), precision_(precision), random_(of.seed), given_(of.spec, of.seed, of.whole) {
        const Spec& s = of.spec;
        const auto values = [&](int64_t count) {
            return rounded(random_values(random_, static_cast<size_t>(count), of.whole), precision);
        };
        x_ = values(int64_t{of.batch} * s.inputs * s.height * s.width);
        dy_ = values(int64_t{of.batch} * s.outputs * s.out_height() * s.out_width());
        Convolution convolution = given_;
        convolution.weights = rounded(given_.weights, precision); // dw is that of the rounded weights, too
        want_ = expected_gradients(convolution, x_, dy_, of.batch);
    }

    /** Both passes; what they read begins so many elements into memory. */
    Gradients run(size_t offset) {
        some_device(random_);
        kofn_conv conv = given_.view();
        conv.weights = conv.bias = nullptr;
        kofn_cuda_conv_backward* plan = nullptr;
        const int32_t status = kofn_cuda_conv_backward_open(&conv, case_.batch, precision_, &plan);
        CHECK(status == KOFN_CONV_OK);
        if (status != KOFN_CONV_OK) {
            return {};
        }
        words_ = kofn_cuda_conv_backward_describe(plan);
        const std::vector<uint8_t> input = stored(poisoned(), precision_), gradient = stored(dy_, precision_);
        const std::vector<uint8_t> kernels = stored(given_.weights, KOFN_FP32);
        const auto nothing = [](size_t count, int32_t precision) {
            return stored(std::vector<float>(count, std::numeric_limits<float>::quiet_NaN()), precision);
        };
        const auto scratch = [](int64_t bytes) { return std::vector<uint8_t>(static_cast<size_t>(bytes), 0xFF); };
        const size_t element = precision_ == KOFN_BF16 ? 2 : 4;
        OnDevice x(input, offset * element), dy(gradient, offset * element), w(kernels, offset * 4);
        OnDevice dx(nothing(x_.size(), precision_)), dw(nothing(given_.weights.size(), KOFN_FP32));
        OnDevice db(nothing(static_cast<size_t>(case_.spec.outputs), KOFN_FP32));
        OnDevice data(scratch(kofn_cuda_conv_backward_data_workspace(plan)));
        OnDevice weights(scratch(kofn_cuda_conv_backward_weights_workspace(plan)));
        CHECK(kofn_cuda_conv_backward_data(plan, reinterpret_cast<const float*>(w.data()), dy.data(), dx.data(),
                                           data.data(), nullptr) == KOFN_CONV_OK);
        CHECK(kofn_cuda_conv_backward_weights(plan, x.data(), dy.data(), reinterpret_cast<float*>(dw.data()),
                                              case_.spec.bias ? reinterpret_cast<float*>(db.data()) : nullptr,
                                              weights.data(), nullptr) == KOFN_CONV_OK);
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        kofn_cuda_conv_backward_close(plan);
        CHECK(x.fetch() == input && dy.fetch() == gradient && w.fetch() == kernels);
        data.fetch();
        weights.fetch();
        const std::vector<uint8_t> bias = db.fetch();
        CHECK(case_.spec.bias || bias == nothing(static_cast<size_t>(case_.spec.outputs), KOFN_FP32));
        return {loaded(dx.fetch(), precision_), loaded(dw.fetch(), KOFN_FP32), loaded(bias, KOFN_FP32)};
    }

    bool close(const Gradients& found) const {
        return close(found.input, want_.input, precision_) && close(found.weights, want_.weights, KOFN_FP32)
            && (!case_.spec.bias || close(found.bias, want_.bias, KOFN_FP32));
    }

    const std::string& words() const { return words_; }

private:
    bool close(const std::vector<float>& found, const Expected& want, int32_t precision) const {
        bool all = found.size() == want.values.size();
        for (size_t i = 0; i < found.size() && all; ++i) {
            const double rounding = precision == KOFN_BF16 ? std::abs(want.values[i]) * 0x1p-8 : 0;
            all = case_.whole ? found[i] == rounded(static_cast<float>(want.values[i]), precision)
                              : std::abs(found[i] - want.values[i]) <= want.bounds[i] + rounding;
        }
        return all;
    }

    std::vector<float> poisoned() const {
        std::vector<float> values = x_;
        const size_t plane = static_cast<size_t>(case_.spec.height) * case_.spec.width;
        const size_t inputs = static_cast<size_t>(case_.spec.inputs);
        std::vector<bool> kept(inputs);
        for (const int32_t index : given_.indices) {
            kept[static_cast<size_t>(index)] = true;
        }
        for (size_t i = 0; i < values.size(); ++i) {
            values[i] = kept[i / plane % inputs] ? x_[i] : std::numeric_limits<float>::quiet_NaN();
        }
        return values;
    }

    Case case_;
    int32_t precision_;
    Random random_;
    Convolution given_;
    std::vector<float> x_, dy_;
    ExpectedGradients want_;
    std::string words_;
};

void test_case(Case c, int32_t precision) {
    c.spec.activation = KOFN_IDENTITY;
    BackwardCase on_device(c, precision);
    const Gradients found = on_device.run(0);
    const std::string words = on_device.words();
    count_plan(words);
    CHECK(words.find(precision == KOFN_BF16 ? ", bf16" : ", fp32") != std::string::npos);
    const Gradients again = on_device.run(1);
    const bool close = on_device.close(found), same = same_bits(found.input, again.input)
        && same_bits(found.weights, again.weights) && (!c.spec.bias || same_bits(found.bias, again.bias));
    CHECK(close);
    CHECK(same);
    if (!close || !same) {
        MethodCase(c, precision).print(words + " and " + on_device.words());
    }
}

/** 3×3 kernels on planes of networks: large enough for every patch, with lists that get far apart in the ring. */
Case plane_case(Random& random) {
    const int32_t sizes[] = {7, 8, 14, 28, 56};
    while (true) {
        Case c = random_case(random);
        Spec& s = c.spec;
        s.rows = s.columns = 3;
        s.stride_rows = s.stride_columns = pick(random, 1, 2);
        s.padding_rows = s.padding_columns = 1;
        s.height = s.width = pick(random, sizes);
        s.inputs = pick(random, 1, 100);
        s.kept = pick(random, 1, std::min(s.inputs, 12));
        if (multiplications(s, c.batch) < 2e6) {
            return c;
        }
    }
}

/** So many outputs that there are fewer parts than tiles: their sums go on from tile to tile. */
Case many_outputs(Random& random, bool one_part) {
    const int32_t taps[] = {1, 3, 5};
    Case c{};
    Spec& s = c.spec;
    s.rows = s.columns = pick(random, taps);
    s.stride_rows = s.stride_columns = pick(random, 1, 2);
    s.padding_rows = s.padding_columns = s.rows / 2;
    s.height = s.width = s.rows == 1 ? 4 : 2;
    s.inputs = pick(random, 2, 9);
    s.kept = pick(random, 1, 2);
    s.share = random() % 2 == 0 ? 1 : 128;
    s.outputs = one_part ? 8192 : 2048;
    s.bias = true;
    c.batch = one_part ? 9 : 33;
    c.whole = random() % 2 == 0;
    c.seed = random();
    return c;
}

/** A convolution in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    kofn_conv conv{};
    int32_t batch = 2, precision = KOFN_FP32;

    Request() {
        conv.inputs = 4;
        conv.outputs = 2;
        conv.height = conv.width = 5;
        conv.rows = conv.columns = 3;
        conv.stride_rows = conv.stride_columns = 1;
        conv.padding_rows = conv.padding_columns = 1;
        conv.share = 1;
        conv.kept = 2;
        conv.indices = indices;
    }
    Request(const Request&) = delete; // the description points into it
    Request& operator=(const Request&) = delete;

    /** The status; a refusal must leave the plan's pointer alone. */
    int32_t open() {
        kofn_cuda_conv_backward* const untouched = reinterpret_cast<kofn_cuda_conv_backward*>(this);
        kofn_cuda_conv_backward* plan = untouched;
        const int32_t status = kofn_cuda_conv_backward_open(&conv, batch, precision, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cuda_conv_backward_close(plan);
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

void descriptions() {
    for (const int32_t precision : {KOFN_FP32, KOFN_TF32, KOFN_BF16}) {
        CHECK(opened([=](Request& r) { r.precision = precision; }) == KOFN_CONV_OK);
    }
    for (const int32_t bad : {-1, 3}) {
        CHECK(opened([=](Request& r) { r.precision = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {0, -1, (1 << 20) + 1, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.batch = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.inputs = bad; }) == KOFN_CONV_SHAPE);
    }
    CHECK(opened([](Request& r) { r.conv.activation = KOFN_RELU; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) { r.conv.rows = 8; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) { r.conv.rows = 7, r.conv.padding_rows = 0; }) == KOFN_CONV_SHAPE); // no output left
    CHECK(opened([](Request& r) { r.conv.height = r.conv.width = 1 << 10, r.batch = 512; }) == KOFN_CONV_SHAPE);
    for (const int32_t bad : {0, 5}) {
        CHECK(opened([=](Request& r) { r.conv.kept = bad; }) == KOFN_CONV_KEPT);
        CHECK(opened([=](Request& r) { r.conv.share = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {-1, 4}) {
        CHECK(opened([=](Request& r) { r.indices[3] = bad; }) == KOFN_CONV_INDEX);
    }
    CHECK(opened([](Request& r) { r.indices[1] = 0; }) == KOFN_CONV_INDEX); // twice
    CHECK(opened([](Request& r) { r.conv.indices = nullptr; }) == KOFN_CONV_NULL);
    // 2³¹ kept weights, in one list.
    std::vector<int32_t> all(1 << 15);
    std::iota(all.begin(), all.end(), 0);
    const auto large = [&](int32_t outputs) {
        return opened([&](Request& r) {
            r.conv.height = r.conv.width = r.conv.rows = r.conv.columns = r.batch = 1;
            r.conv.padding_rows = r.conv.padding_columns = 0;
            r.conv.indices = all.data();
            r.conv.inputs = r.conv.kept = 1 << 15;
            r.conv.outputs = r.conv.share = outputs;
        });
    };
    CHECK(large(1 << 16) == KOFN_CONV_SHAPE);
    CHECK(large(1) == KOFN_CONV_OK);
}

void pointers() {
    Request request;
    kofn_cuda_conv_backward* plan = nullptr;
    CHECK(kofn_cuda_conv_backward_open(nullptr, 1, KOFN_FP32, &plan) == KOFN_CONV_NULL && plan == nullptr);
    CHECK(kofn_cuda_conv_backward_open(&request.conv, 1, KOFN_FP32, nullptr) == KOFN_CONV_NULL);
    // Two parts, so that there is a workspace.
    CHECK(kofn_cuda_conv_backward_open(&request.conv, 9, KOFN_FP32, &plan) == KOFN_CONV_OK);
    CHECK(kofn_cuda_conv_backward_weights_workspace(plan) > 0 && kofn_cuda_conv_backward_data_workspace(plan) > 0);
    float memory[1] = {};
    const auto data = [&](const float* w, const void* dy, void* dx, void* scratch) {
        return kofn_cuda_conv_backward_data(plan, w, dy, dx, scratch, nullptr);
    };
    const auto weights = [&](const void* x, const void* dy, float* dw, void* scratch) {
        return kofn_cuda_conv_backward_weights(plan, x, dy, dw, nullptr, scratch, nullptr);
    };
    CHECK(kofn_cuda_conv_backward_data(nullptr, memory, memory, memory, memory, nullptr) == KOFN_CONV_NULL);
    CHECK(data(nullptr, memory, memory, memory) == KOFN_CONV_NULL);
    CHECK(data(memory, nullptr, memory, memory) == KOFN_CONV_NULL);
    CHECK(data(memory, memory, nullptr, memory) == KOFN_CONV_NULL);
    CHECK(data(memory, memory, memory, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_conv_backward_weights(nullptr, memory, memory, memory, memory, memory, nullptr) == KOFN_CONV_NULL);
    CHECK(weights(nullptr, memory, memory, memory) == KOFN_CONV_NULL);
    CHECK(weights(memory, nullptr, memory, memory) == KOFN_CONV_NULL);
    CHECK(weights(memory, memory, nullptr, memory) == KOFN_CONV_NULL);
    CHECK(weights(memory, memory, memory, nullptr) == KOFN_CONV_NULL);
#if defined(KOFN_EMULATED)
    std::vector<float> x(9 * 4 * 25), w(4 * 9), scratch(10000);
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(data(w.data(), x.data(), x.data(), scratch.data()) == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(weights(x.data(), x.data(), w.data(), scratch.data()) == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(request.open() == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorMemoryAllocation;
    CHECK(request.open() == KOFN_CONV_MEMORY);
    CHECK(request.open() == KOFN_CONV_OK); // nothing of it is left
#endif
    kofn_cuda_conv_backward_close(plan);
    kofn_cuda_conv_backward_close(nullptr);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    descriptions();
    pointers();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 2400 : 60;
    for (int i = 0; i < cases; ++i) {
        test_case(i % 20 == 19      ? many_outputs(random, i % 40 == 39)
                      : i % 5 == 0 ? plane_case(random)
                                   : random_case(random),
                  i % 3);
    }
    for (const char* what : {"data 4x4", "data 4x8", "data 7x8", "data 4x2", "weights 4x4", "weights 4x8", "weights 7x8",
                             "weights 4x2", "phases", "one part"}) {
        if (seen[what] < 2) {
            std::fprintf(stderr, "only %d plans with %s\n", seen[what], what);
            CHECK(!"everything is tested");
        }
    }
    return kofn::checks_summary("sparse_conv_backward_cuda_test");
}
