#include <cmath>
#include <string>

#include "../common/check.h"
#include "gather_method.cuh"
#include "reference.h"

/**
 * The gathered method against the definition in double precision, on shapes drawn at random, tf32 and bf16. The host's
 * own reference needs nothing of the library. By emulation, or on a GPU when the CUDA compiler builds it.
 * KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

/** A copy on the device, between guards that show whether something wrote outside. */
class Device {
public:
    explicit Device(const std::vector<uint8_t>& bytes) : size_(bytes.size()), all_(bytes.size() + 2 * guard, 0xA5) {
        std::copy(bytes.begin(), bytes.end(), all_.begin() + guard);
        CHECK(cudaMalloc(&memory_, all_.size()) == cudaSuccess);
        CHECK(cudaMemcpy(memory_, all_.data(), all_.size(), cudaMemcpyHostToDevice) == cudaSuccess);
    }
    ~Device() { cudaFree(memory_); }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    uint8_t* data() { return memory_ + guard; }
    std::vector<uint8_t> fetch() {
        CHECK(cudaMemcpy(all_.data(), memory_, all_.size(), cudaMemcpyDeviceToHost) == cudaSuccess);
        for (size_t i = 0; i < guard; ++i) {
            CHECK(all_[i] == 0xA5 && all_[guard + size_ + i] == 0xA5);
        }
        return {all_.begin() + guard, all_.end() - guard};
    }

private:
    static constexpr size_t guard = 256;
    size_t size_;
    std::vector<uint8_t> all_;
    uint8_t* memory_ = nullptr;
};

template <class T>
std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
    const auto* first = reinterpret_cast<const uint8_t*>(values.data());
    return {first, first + values.size() * sizeof(T)};
}

std::vector<uint8_t> stored(const std::vector<float>& values, bool bf16) {
    if (!bf16) {
        return bytes_of(values);
    }
    std::vector<uint16_t> rounded(values.size());
    std::transform(values.begin(), values.end(), rounded.begin(), [](float value) { return to_bfloat16(value); });
    return bytes_of(rounded);
}

/** Runs on a device of so many multiprocessors, which changes the tile but must not change the bits. */
std::vector<float> run(const Case& c, const kofn_conv& conv, bool bf16, int32_t multiprocessors, Device& x,
                       const std::vector<float>& residual, size_t count, std::string& what) {
    const auto plan = make_gather_plan(conv, c.batch, bf16 ? KOFN_BF16 : KOFN_TF32, {multiprocessors, 0});
    what = plan->description;
    const std::vector<float> poison(count, std::numeric_limits<float>::quiet_NaN());
    Device other(stored(residual, bf16)), y(stored(c.residual == Case::in_place ? residual : poison, bf16));
    const void* const added = c.residual == Case::none ? nullptr : c.residual == Case::in_place ? y.data() : other.data();
    CHECK(plan->run(x.data(), y.data(), added, nullptr, nullptr) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    const std::vector<uint8_t> bytes = y.fetch();
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
        uint16_t half = 0;
        bf16 ? std::memcpy(&half, &bytes[2 * i], 2) : std::memcpy(&values[i], &bytes[4 * i], 4);
        values[i] = bf16 ? from_bfloat16(half) : values[i];
    }
    return values;
}

void test_case(Case c, bool bf16) {
    const Spec& s = c.spec;
    Random random(c.seed);
    const Convolution convolution(s, c.seed, c.whole);
    const kofn_conv conv = convolution.view();
    CHECK(gather_takes(conv, bf16 ? KOFN_BF16 : KOFN_TF32) && !gather_takes(conv, KOFN_FP32));
    std::vector<float> x = random_values(random, static_cast<size_t>(c.batch) * s.inputs * s.height * s.width, c.whole);
    const size_t count = static_cast<size_t>(c.batch) * s.outputs * s.out_height() * s.out_width();
    std::vector<float> residual = random_values(random, c.residual == Case::none ? 0 : count, c.whole);
    for (float& value : x) {
        value = bf16 ? from_bfloat16(to_bfloat16(value)) : value;
    }
    for (float& value : residual) {
        value = bf16 ? from_bfloat16(to_bfloat16(value)) : value;
    }
    // Channels that no list keeps are poison.
    std::vector<bool> kept(static_cast<size_t>(s.inputs));
    for (const int32_t index : convolution.indices) {
        kept[static_cast<size_t>(index)] = true;
    }
    std::vector<float> poisoned = x;
    const size_t plane = static_cast<size_t>(s.height) * s.width;
    for (size_t i = 0; i < x.size(); ++i) {
        poisoned[i] = kept[i / plane % kept.size()] ? x[i] : std::numeric_limits<float>::quiet_NaN();
    }
    Device input(stored(poisoned, bf16));
    std::string what;
    const std::vector<float> y = run(c, conv, bf16, 1, input, residual, count, what);
    const std::vector<float> again = run(c, conv, bf16, 200, input, residual, count, what);
    CHECK(std::memcmp(y.data(), again.data(), count * sizeof(float)) == 0);

    // Two factors are rounded (in bf16 one, x being bf16 itself), and in bf16 the result.
    const Expected want = expected(convolution, x, residual, c.batch);
    const double terms = static_cast<double>(s.kept) * s.rows * s.columns + 2;
    const double scale = (bf16 ? 0x1p-8 : 0x1p-10) / (4 * std::numeric_limits<float>::epsilon() * std::sqrt(terms));
    bool close = true;
    for (size_t i = 0; i < count; ++i) {
        const double exact = bf16 ? from_bfloat16(to_bfloat16(static_cast<float>(want.values[i]))) : want.values[i];
        close = close && (c.whole ? y[i] == exact
                                  : std::abs(y[i] - want.values[i]) <= want.bounds[i] * (1 + scale)
                                        + std::abs(want.values[i]) * (bf16 ? 0x1p-8 : 0));
    }
    CHECK(close);
    if (!close) {
        std::fprintf(stderr, "%s: n %d k %d b %d O %d, %dx%d, kernel %dx%d stride %d,%d padding %d,%d, batch %d\n",
                     what.c_str(), s.inputs, s.kept, s.share, s.outputs, s.height, s.width, s.rows, s.columns,
                     s.stride_rows, s.stride_columns, s.padding_rows, s.padding_columns, c.batch);
    }
}

/** A shared case; lists that 16 to 128 outputs share, one list and several. */
Case shared_case(Random& random) {
    const int32_t shares[] = {16, 16, 32, 48, 64, 128};
    while (true) {
        Case c = random_case(random);
        Spec& s = c.spec;
        if (random() % 8 == 0) {
            s.stride_rows = pick(random, 1, 7);
            s.stride_columns = pick(random, 1, 7);
        }
        s.share = pick(random, shares);
        s.outputs = s.share * (random() % 2 == 0 ? 1 : pick(random, 2, 3));
        const double pixels = 1.0 * c.batch * s.out_height() * s.out_width();
        if (s.outputs * (std::ceil(pixels / 64) * 64) * s.kept * s.rows * s.columns < 2e6) {
            return c;
        }
    }
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 2500 : 60;
    for (int i = 0; i < cases; ++i) {
        test_case(shared_case(random), i % 2 == 0);
    }
    return kofn::checks_summary("gather_test");
}
