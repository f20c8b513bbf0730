#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "../common/check.h"
#include "../emulation/cuda_or_emulation.h"
#include "reference.h"

/**
 * The CUDA kernels against the definition in double precision, and bit for bit on whole numbers. Built twice: with
 * KOFN_EMULATED for the emulation, else for a real GPU.
 */
namespace kofn::two_four {
namespace {

using Bytes = std::vector<unsigned char>;

void require(cudaError_t error) {
    if (error != cudaSuccess) {
        std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
        std::exit(1);
    }
}

/** A tensor on the device between guards whose bits are no numbers: what is read there by mistake shows in the sums. */
class OnDevice {
public:
    OnDevice(const Bytes& host, size_t offset) : size_(host.size()), before_(GUARD + offset) {
        Bytes all(before_ + size_ + GUARD, 0xFF);
        std::copy(host.begin(), host.end(), all.begin() + static_cast<std::ptrdiff_t>(before_));
        require(cudaMalloc(&memory_, all.size()));
        require(cudaMemcpy(memory_, all.data(), all.size(), cudaMemcpyHostToDevice));
    }
    ~OnDevice() { cudaFree(memory_); }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

    void* data() { return memory_ + before_; }

    Bytes fetch() const {
        Bytes all(before_ + size_ + GUARD);
        require(cudaMemcpy(all.data(), memory_, all.size(), cudaMemcpyDeviceToHost));
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(before_);
        const auto last = first + static_cast<std::ptrdiff_t>(size_);
        const auto untouched = [](unsigned char b) { return b == 0xFF; };
        CHECK(std::all_of(all.begin(), first, untouched) && std::all_of(last, all.end(), untouched));
        return {first, last};
    }

private:
    static constexpr size_t GUARD = 256;
    size_t size_, before_;
    unsigned char* memory_ = nullptr;
};

/** The output's bytes, of one run; empty if the plan was refused. */
Bytes run(const Case& c, const kofn_two_four& layer, const Bytes& x, const Bytes& residual) {
    kofn_cuda_two_four_plan* plan = nullptr;
    const int32_t opened = kofn_cuda_two_four_open(&layer, c.precision, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    const size_t element = size_of_element(c.precision);
    const size_t offset = static_cast<size_t>(c.output_offset) * element;
    const size_t count = static_cast<size_t>(layer.batch) * layer.outputs * layer.pixels;
    OnDevice input(x, static_cast<size_t>(c.input_offset) * element), other(residual, offset);
    OnDevice output(c.residual == Case::in_place ? residual : Bytes(count * element, 0xFF), offset);
    void* added = c.residual == Case::none ? nullptr : c.residual == Case::apart ? other.data() : output.data();
    CHECK(kofn_cuda_two_four_run(plan, input.data(), output.data(), added, nullptr) == KOFN_CONV_OK);
    require(cudaDeviceSynchronize());
    CHECK(input.fetch() == x && other.fetch() == residual);
    kofn_cuda_two_four_close(plan);
    return output.fetch();
}

void print(const Case& c) {
    const Spec& s = c.spec;
    std::fprintf(stderr, "n %d O %d N %d P %d activation %d bias %d, precision %d offsets %d %d residual %d whole %d\n",
                 s.inputs, s.outputs, s.batch, s.pixels, s.activation, s.bias, c.precision, c.input_offset,
                 c.output_offset, c.residual, c.whole);
}

/** One case; then, bit for bit, from other addresses and for the last image alone. */
void test_case(const Case& c) {
    Random random(c.seed);
    const Spec& s = c.spec;
    const Layer layer(s, random, c.whole);
    const Bytes x = encoded(random_values(random, s.input_size(), c.whole), c.precision);
    const size_t added = c.residual == Case::none ? 0 : s.output_size();
    const Bytes residual = encoded(random_values(random, added, c.whole), c.precision);

    const Bytes y = run(c, layer.view(), x, residual);
    const Expected want =
        expected(layer, decoded(x, c.precision), decoded(residual, c.precision), c.precision);
    const std::vector<float> values = decoded(y, c.precision);
    bool close = values.size() == want.values.size();
    for (size_t i = 0; i < values.size() && close; ++i) {
        const float exact = static_cast<float>(want.values[i]);
        close = c.whole ? values[i] == (c.precision == KOFN_BF16 ? from_bfloat16(to_bfloat16(exact)) : exact)
                        : std::abs(static_cast<double>(values[i]) - want.values[i]) <= want.bounds[i];
    }
    CHECK(close);

    Case other = c;
    other.input_offset = c.input_offset == 0 ? 3 : 0;
    other.output_offset = c.output_offset == 0 ? 1 : 0;
    const bool same_elsewhere = run(other, layer.view(), x, residual) == y;
    CHECK(same_elsewhere);

    kofn_two_four alone = layer.view();
    alone.batch = 1;
    const auto last_image = [&](const Bytes& of) {
        return Bytes(of.end() - static_cast<std::ptrdiff_t>(of.size() / static_cast<size_t>(s.batch)), of.end());
    };
    const bool same_alone = run(c, alone, last_image(x), last_image(residual)) == last_image(y);
    CHECK(same_alone);
    if (!close || !same_elsewhere || !same_alone) {
        print(c);
    }
}

Case case_of(const Spec& spec, int32_t precision) {
    return {spec, precision, 0, 0, Case::apart, false, 1};
}

/** Inputs that no output keeps may be anything in bf16. */
void dropped_inputs_are_not_read() {
    Spec s;
    s.inputs = 8;
    s.outputs = 3;
    s.pixels = 4;
    Random random(1);
    Layer layer(s, random, true);
    for (size_t i = 0; i < layer.mask.size(); ++i) {
        layer.mask[i] = i % 4 == 1 || i % 4 == 2 ? 1 : 0;
    }
    CHECK(kofn_two_four_pack(3, 8, layer.dense.data(), layer.mask.data(), layer.values.data(), layer.places.data())
          == KOFN_CONV_OK);
    std::vector<float> x = random_values(random, s.input_size(), true);
    const Expected want = expected(layer, x, {}, KOFN_BF16);
    std::fill_n(x.begin(), 4, std::numeric_limits<float>::quiet_NaN());
    std::fill_n(x.begin() + 28, 4, std::numeric_limits<float>::infinity());
    Case c = case_of(s, KOFN_BF16);
    c.residual = Case::none;
    const std::vector<float> y = decoded(run(c, layer.view(), encoded(x, KOFN_BF16), {}), KOFN_BF16);
    for (size_t i = 0; i < y.size(); ++i) {
        CHECK(static_cast<double>(y[i]) == want.values[i]);
    }
}

/** All tiles, also those that a GPU of many multiprocessors chooses for large layers only. */
void all_tiles_are_chosen() {
    const auto described = [](int32_t outputs, int32_t batch, int32_t precision) {
        Spec s;
        s.outputs = outputs;
        s.batch = batch;
        Random random(1);
        const Layer layer(s, random, false);
        const kofn_two_four view = layer.view();
        kofn_cuda_two_four_plan* plan = nullptr;
        CHECK(kofn_cuda_two_four_open(&view, precision, &plan) == KOFN_CONV_OK);
        const std::string words = kofn_cuda_two_four_describe(plan);
        CHECK(kofn_cuda_two_four_bytes(plan) > 0);
        kofn_cuda_two_four_close(plan);
        return words;
    };
    CHECK(described(1, 1, KOFN_BF16) == "2:4 64x32x64, bf16");
    CHECK(described(1, 1 << 17, KOFN_TF32) == "2:4 64x128x32, tf32");
    CHECK(described(65, 1 << 17, KOFN_BF16) == "2:4 128x128x64, bf16");
#if !defined(KOFN_EMULATED)
    for (const int32_t precision : {KOFN_BF16, KOFN_TF32}) {
        for (const int32_t outputs : {60, 250}) {
            for (const int32_t pixels : {1, 775, 784}) {
                Spec s;
                s.inputs = 252;
                s.outputs = outputs;
                s.pixels = pixels;
                s.batch = pixels == 1 ? 25001 : 33;
                test_case(case_of(s, precision));
            }
        }
    }
#endif
}

/** A layer in order, of which a test spoils one thing. */
struct Request {
    float values[2 * 6] = {};
    uint8_t places[2 * 2] = {0x84, 0x0D, 0xEE, 0x04}; // (0, 1), (0, 2), (1, 3); (2, 3), (2, 3), (0, 1)
    kofn_two_four layer{12, 2, 3, 5, KOFN_RELU, values, places, nullptr};
    int32_t precision = KOFN_BF16;

    /** The status; a refusal must leave the plan's pointer alone. */
    int32_t open() {
        kofn_cuda_two_four_plan* const untouched = reinterpret_cast<kofn_cuda_two_four_plan*>(this);
        kofn_cuda_two_four_plan* plan = untouched;
        const int32_t status = kofn_cuda_two_four_open(&layer, precision, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cuda_two_four_close(plan);
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
    for (const int32_t precision : {KOFN_BF16, KOFN_TF32}) {
        CHECK(opened([=](Request& r) { r.precision = precision; }) == KOFN_CONV_OK);
        for (const uint8_t bad : {0x85, 0x80, 0x81, 0x8A, 0x8F, 0x54, 0x14, 0x04}) {
            CHECK(opened([=](Request& r) { r.precision = precision, r.places[0] = bad; }) == KOFN_CONV_INDEX);
        }
        CHECK(opened([=](Request& r) { r.precision = precision, r.places[3] = 0x44; }) == KOFN_CONV_INDEX);
        CHECK(opened([=](Request& r) { r.precision = precision, r.places[3] = 0x00; }) == KOFN_CONV_INDEX);
    }
    CHECK(opened([](Request& r) { r.layer.values = nullptr; }) == KOFN_CONV_NULL);
    CHECK(opened([](Request& r) { r.layer.places = nullptr; }) == KOFN_CONV_NULL);
    for (const int32_t bad : {0, -1, -4, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.layer.inputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.layer.outputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.layer.batch = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.layer.pixels = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {1, 2, 3, 5, 6, 13, 1 << 29}) {
        CHECK(opened([=](Request& r) { r.layer.inputs = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {-1, 3}) {
        CHECK(opened([=](Request& r) { r.layer.activation = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.precision = bad; }) == KOFN_CONV_SHAPE);
    }
    CHECK(opened([](Request& r) { r.precision = KOFN_FP32; }) == KOFN_CONV_SHAPE);
    Request request;
    kofn_cuda_two_four_plan* plan = nullptr;
    CHECK(kofn_cuda_two_four_open(nullptr, KOFN_BF16, &plan) == KOFN_CONV_NULL && plan == nullptr);
    CHECK(kofn_cuda_two_four_open(&request.layer, KOFN_BF16, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_two_four_open(&request.layer, KOFN_BF16, &plan) == KOFN_CONV_OK);
    uint16_t memory[12 * 3 * 5] = {};
    CHECK(kofn_cuda_two_four_run(nullptr, memory, memory, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_two_four_run(plan, nullptr, memory, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_two_four_run(plan, memory, nullptr, nullptr, nullptr) == KOFN_CONV_NULL);
#if defined(KOFN_EMULATED)
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(kofn_cuda_two_four_run(plan, memory, memory, nullptr, nullptr) == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(request.open() == KOFN_CONV_LAUNCH);
#endif
    kofn_cuda_two_four_close(plan);
    kofn_cuda_two_four_close(nullptr);
}

/** What is packed, and that a mask with another number of four is refused without a trace. */
void packing() {
    const float dense[2 * 12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 0, 23, 24};
    const uint8_t mask[2 * 12] = {1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0};
    float values[12];
    uint8_t places[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    CHECK(kofn_two_four_pack(2, 12, dense, mask, values, places) == KOFN_CONV_OK);
    const float kept[12] = {1, 2, 5, 7, 10, 12, 15, 16, 19, 20, 21, 0};
    CHECK(std::equal(kept, kept + 12, values));
    CHECK(places[0] == 0x84 && places[1] == 0x0D && places[2] == 0xEE && places[3] == 0x04);

    for (size_t i = 0; i < 24; ++i) { // one more than two, or one less
        uint8_t other[24];
        std::copy_n(mask, 24, other);
        other[i] = 1 - other[i];
        float untouched[12] = {-1};
        uint8_t bytes[4] = {0xA5};
        CHECK(kofn_two_four_pack(2, 12, dense, other, untouched, bytes) == KOFN_CONV_KEPT);
        CHECK(untouched[0] == -1 && bytes[0] == 0xA5);
    }
    for (const int32_t bad : {0, -4, 3, 6, 11}) {
        CHECK(kofn_two_four_pack(2, bad, dense, mask, values, places) == KOFN_CONV_SHAPE);
    }
    CHECK(kofn_two_four_pack(0, 12, dense, mask, values, places) == KOFN_CONV_SHAPE);
    CHECK(kofn_two_four_pack(2, 12, nullptr, mask, values, places) == KOFN_CONV_NULL);
    CHECK(kofn_two_four_pack(2, 12, dense, nullptr, values, places) == KOFN_CONV_NULL);
    CHECK(kofn_two_four_pack(2, 12, dense, mask, nullptr, places) == KOFN_CONV_NULL);
    CHECK(kofn_two_four_pack(2, 12, dense, mask, values, nullptr) == KOFN_CONV_NULL);
}

}  // namespace
}  // namespace kofn::two_four

int main(int count, char** arguments) {
    using namespace kofn::two_four;
    packing();
    refusals();
    dropped_inputs_are_not_read();
    all_tiles_are_chosen();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 3000 : 500;
    for (int i = 0; i < cases; ++i) {
        test_case(random_case(random));
    }
    return kofn::checks_summary("two_four_cuda_test");
}
