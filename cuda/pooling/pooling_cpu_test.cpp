#include "pooling.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "../common/arithmetic.h"
#include "../common/check.h"

/** Pooling against its definition in double precision, on random shapes, in both forms. */
namespace {

struct Free {
    void operator()(float* memory) const { std::free(memory); }
};

/** Memory of a padded tensor, NaN where nothing was written, but for its halo. */
std::unique_ptr<float, Free> memory_of(const kofn_tensor& tensor) {
    kofn_strides strides;
    CHECK(kofn_tensor_strides(&tensor, &strides) == KOFN_CONV_OK);
    const size_t floats = static_cast<size_t>(strides.elements + 15) / 16 * 16;
    std::unique_ptr<float, Free> data(static_cast<float*>(std::aligned_alloc(64, floats * sizeof(float))));
    std::fill(data.get(), data.get() + floats, std::numeric_limits<float>::quiet_NaN());
    CHECK(kofn_cpu_tensor_clear(&tensor, data.get(), 1) == KOFN_CONV_OK);
    return data;
}

/** One output by its definition. */
double expected(const kofn_pool& p, const kofn_tensor& in, const float* plane, int32_t h, int32_t w) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int32_t r = 0; r < p.rows; ++r) {
        for (int32_t s = 0; s < p.columns; ++s) {
            const int32_t y = h * p.stride_rows - p.padding_rows + r, x = w * p.stride_columns - p.padding_columns + s;
            if (y >= 0 && y < in.height && x >= 0 && x < in.width) {
                largest = std::max<double>(largest, plane[y * in.width + x]);
                sum += plane[y * in.width + x];
            }
        }
    }
    return p.kind == KOFN_POOL_LARGEST ? largest : sum / (p.rows * p.columns);
}

void fuzz(uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto upto = [&](int32_t most) { return static_cast<int32_t>(random() % static_cast<uint64_t>(most)) + 1; };
    kofn_tensor in{static_cast<int32_t>(random() % 2), upto(33), upto(3), upto(10), upto(10), upto(4) - 1, KOFN_FP32};
    kofn_pool p{static_cast<int32_t>(random() % 2), upto(in.height), upto(in.width), upto(3), upto(3), 0, 0};
    p.padding_rows = upto(p.rows / 2 + 1) - 1;
    p.padding_columns = upto(p.columns / 2 + 1) - 1;
    kofn_tensor out = in;
    out.height = (in.height + 2 * p.padding_rows - p.rows) / p.stride_rows + 1;
    out.width = (in.width + 2 * p.padding_columns - p.columns) / p.stride_columns + 1;
    out.halo = upto(4) - 1;

    std::normal_distribution<float> normal;
    std::vector<float> plain(static_cast<size_t>(in.batch) * in.channels * in.height * in.width);
    std::generate(plain.begin(), plain.end(), [&] { return normal(random); });
    const bool bf16 = seed % 2 == 1;
    if (bf16) {
        in.precision = out.precision = KOFN_BF16;
        std::transform(plain.begin(), plain.end(), plain.begin(),
                       [](float x) { return kofn::from_bfloat16(kofn::to_bfloat16(x)); });
    }
    std::vector<float> pooled(static_cast<size_t>(out.batch) * out.channels * out.height * out.width);
    const auto input = memory_of(in), output = memory_of(out), clean = memory_of(out);
    CHECK(kofn_cpu_tensor_import(&in, plain.data(), input.get(), 1) == KOFN_CONV_OK);
    CHECK(kofn_cpu_pool_run(&p, &in, input.get(), &out, output.get(), upto(3)) == KOFN_CONV_OK);
    CHECK(kofn_cpu_tensor_export(&out, output.get(), pooled.data(), 1) == KOFN_CONV_OK);

    bool right = true;
    for (size_t i = 0; i < pooled.size(); ++i) {
        const int32_t w = static_cast<int32_t>(i) % out.width, h = static_cast<int32_t>(i) / out.width % out.height;
        const size_t plane = i / static_cast<size_t>(out.width * out.height);
        const double should = expected(p, in, plain.data() + plane * static_cast<size_t>(in.width * in.height), h, w);
        // The largest is exact; a mean of at most 100 pixels of size 1 has an error below 100 ulps, before it is rounded.
        const double bound = 1e-5 + (bf16 ? std::abs(should) * 0x1p-8 : 0);
        right = right && std::abs(pooled[i] - should) <= (p.kind == KOFN_POOL_LARGEST ? 0 : bound);
    }
    CHECK(right);

    // Nothing but elements was written: with those of `clean` the memory is the same again.
    CHECK(kofn_cpu_tensor_import(&out, pooled.data(), clean.get(), 1) == KOFN_CONV_OK);
    CHECK(kofn_cpu_tensor_import(&out, pooled.data(), output.get(), 1) == KOFN_CONV_OK);
    kofn_strides strides;
    CHECK(kofn_tensor_strides(&out, &strides) == KOFN_CONV_OK);
    CHECK(std::memcmp(clean.get(), output.get(), static_cast<size_t>(strides.elements) * (bf16 ? 2 : 4)) == 0);
}

void refusals() {
    const kofn_tensor in{KOFN_PLANES, 1, 2, 4, 4, 0, KOFN_FP32}, out{KOFN_PLANES, 1, 2, 2, 2, 0, KOFN_FP32};
    const kofn_pool good{KOFN_POOL_LARGEST, 2, 2, 2, 2, 0, 0};
    const auto input = memory_of(in), output = memory_of(out);
    const auto status = [&](const kofn_pool& p, const kofn_tensor& from, const kofn_tensor& to, int32_t threads) {
        return kofn_cpu_pool_run(&p, &from, input.get(), &to, output.get(), threads);
    };
    CHECK(status(good, in, out, 1) == KOFN_CONV_OK);
    CHECK(status(good, in, out, 0) == KOFN_CONV_THREADS);
    CHECK(kofn_cpu_pool_run(&good, &in, nullptr, &out, output.get(), 1) == KOFN_CONV_NULL);
    const kofn_pool wrong[] = {{2, 2, 2, 2, 2, 0, 0}, {0, 0, 2, 2, 2, 0, 0}, {0, 2, 2, 0, 2, 0, 0}, {0, 2, 2, 2, 2, 2, 0},
                               {0, 5, 2, 2, 2, 0, 0}, {0, 2, 2, 1, 2, 0, 0}, {0, 2, 2, 2, 2, 0, -1}};
    for (const kofn_pool& bad : wrong) {
        CHECK(status(bad, in, out, 1) == KOFN_CONV_SHAPE);
    }
    for (const kofn_tensor& other :
         {kofn_tensor{KOFN_BATCH16, 1, 2, 2, 2, 0, KOFN_FP32}, kofn_tensor{KOFN_PLANES, 2, 2, 2, 2, 0, KOFN_FP32},
          kofn_tensor{KOFN_PLANES, 1, 1, 2, 2, 0, KOFN_FP32}, kofn_tensor{KOFN_PLANES, 1, 2, 2, 2, 0, KOFN_BF16}}) {
        CHECK(status(good, in, other, 1) == KOFN_CONV_LAYOUT);
    }
}

}  // namespace

int main() {
    const uint64_t shapes = kofn::extended() ? 20000 : 2000;
    for (uint64_t seed = 0; seed < shapes; ++seed) {
        fuzz(seed);
    }
    refusals();
    return kofn::checks_summary("pooling_cpu_test");
}
