#include <cmath>
#include <limits>
#include <string>
#include <thread>

#include "../common/check.h"
#include "../gumbel_topk/gumbel_topk.h"
#include "fixture.h"

/**
 * The convolution of the CPU against its definition in double precision, on shapes drawn at random; all variants, forms
 * and numbers of threads. KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

using Random = std::mt19937_64;

int32_t pick(Random& random, int32_t least, int32_t most) {
    return least + static_cast<int32_t>(random() % static_cast<uint64_t>(most - least + 1));
}

template <size_t N>
int32_t pick(Random& random, const int32_t (&from)[N]) {
    return from[random() % N];
}

/** One case: what is convolved, and how its tensors lie. */
struct Case {
    Spec spec;
    int32_t batch, form, in_halo, out_halo;
    int32_t channels_before, channels_behind; /* of a wider input, of which the convolution reads a part */
    enum { none, apart, in_place } residual;
    bool whole;
    uint64_t seed;
};

double multiplications(const Spec& s, int32_t batch) {
    return 1.0 * batch * s.outputs * s.kept * s.rows * s.columns * s.out_height() * s.out_width();
}

/** A case that is cheap enough to compute in double precision. */
Case random_case(Random& random) {
    const int32_t taps[] = {1, 1, 2, 3, 3, 3, 5, 7}, shares[] = {1, 1, 2, 4, 12, 16, 32};
    const int32_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 28, 31, 32, 33, 49, 56};
    while (true) {
        Case c{};
        Spec& s = c.spec;
        s.rows = pick(random, taps);
        s.columns = random() % 4 == 0 ? pick(random, taps) : s.rows;
        s.stride_rows = random() % 3 == 0 ? 2 : 1;
        s.stride_columns = random() % 8 == 0 ? pick(random, 1, 4) : s.stride_rows;
        s.padding_rows = random() % 3 == 0 ? pick(random, 0, 3) : std::min(s.rows / 2, 3);
        s.padding_columns = random() % 3 == 0 ? pick(random, 0, 3) : std::min(s.columns / 2, 3);
        s.height = pick(random, sizes);
        s.width = random() % 2 == 0 ? s.height : pick(random, sizes);
        if (s.out_height() < 1 || s.out_width() < 1 || s.height + 2 * s.padding_rows < s.rows
            || s.width + 2 * s.padding_columns < s.columns) {
            continue;
        }
        s.inputs = pick(random, 1, 40);
        s.share = pick(random, shares);
        s.outputs = s.share * pick(random, 1, s.share > 4 ? 2 : 12);
        s.kept = random() % 4 == 0 ? (random() % 2 == 0 ? 1 : s.inputs) : pick(random, 1, s.inputs);
        s.activation = pick(random, 0, 2);
        s.bias = random() % 2 == 0;
        c.batch = random() % 3 == 0 ? pick(random, 1, 33) : pick(random, 1, 3);
        if (multiplications(s, c.batch) > 1.5e6) {
            continue;
        }
        c.form = random() % 2 == 0 ? KOFN_PLANES : KOFN_BATCH16;
        c.in_halo = pick(random, std::max(s.padding_rows, s.padding_columns), 3);
        c.out_halo = random() % 2 == 0 ? c.in_halo : pick(random, 0, 3);
        c.channels_before = random() % 8 == 0 ? pick(random, 1, 5) : 0;
        c.channels_behind = random() % 8 == 0 ? pick(random, 1, 5) : 0;
        c.residual = random() % 2 == 0 ? Case::none : random() % 2 == 0 ? Case::apart : Case::in_place;
        c.whole = random() % 3 == 0;
        c.seed = random();
        return c;
    }
}

/** What must come out, and how far it may be off. */
struct Expected {
    std::vector<double> values, bounds;
};

/** The definition of sparse_conv.h. x: [batch, inputs, height, width], residual as the output, or empty. */
Expected expected(const Convolution& convolution, const std::vector<float>& x, const std::vector<float>& residual,
                  int32_t batch) {
    const Spec& s = convolution.spec;
    const double epsilon = std::numeric_limits<float>::epsilon();
    const double terms = static_cast<double>(s.kept) * s.rows * s.columns + 2;
    Expected all;
    for (int64_t image = 0; image < batch; ++image) {
        for (int32_t o = 0; o < s.outputs; ++o) {
            for (int32_t h = 0; h < s.out_height(); ++h) {
                for (int32_t w = 0; w < s.out_width(); ++w) {
                    const double bias = s.bias ? convolution.bias[static_cast<size_t>(o)] : 0;
                    const double added = residual.empty() ? 0 : residual[all.values.size()];
                    double sum = bias + added;
                    double magnitude = std::abs(bias) + std::abs(added);
                    for (int32_t i = 0; i < s.kept; ++i) {
                        const size_t entry = static_cast<size_t>(o / s.share) * s.kept + i;
                        const int64_t plane = image * s.inputs + convolution.indices[entry];
                        const float* kernel =
                            convolution.weights.data() + (entry * s.share + o % s.share) * s.rows * s.columns;
                        for (int32_t r = 0; r < s.rows; ++r) {
                            for (int32_t q = 0; q < s.columns; ++q) {
                                const int32_t y = h * s.stride_rows - s.padding_rows + r;
                                const int32_t z = w * s.stride_columns - s.padding_columns + q;
                                if (y < 0 || y >= s.height || z < 0 || z >= s.width) {
                                    continue;
                                }
                                const double product = static_cast<double>(kernel[r * s.columns + q])
                                    * x[static_cast<size_t>((plane * s.height + y) * s.width + z)];
                                sum += product;
                                magnitude += std::abs(product);
                            }
                        }
                    }
                    sum = s.activation != KOFN_IDENTITY ? std::max(sum, 0.0) : sum;
                    sum = s.activation == KOFN_RELU6 ? std::min(sum, 6.0) : sum;
                    all.values.push_back(sum);
                    all.bounds.push_back(4 * epsilon * std::sqrt(terms) * magnitude);
                }
            }
        }
    }
    return all;
}

std::vector<float> random_values(Random& random, size_t count, bool whole) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(),
                  [&] { return whole ? static_cast<float>(random() % 9) - 4.0f : normal(random); });
    return values;
}

/** Whether everything between the elements is still zero: clearing it again changes nothing. */
bool halo_is_zero(const Tensor& tensor) {
    Memory cleared(tensor.memory.size());
    std::memcpy(cleared.data(), tensor.data(), static_cast<size_t>(cleared.size()) * sizeof(float));
    kofn_cpu_tensor_clear(&tensor.layout, cleared.data(), 1);
    return std::memcmp(cleared.data(), tensor.data(), static_cast<size_t>(cleared.size()) * sizeof(float)) == 0;
}

/** Runs one case with the variant in use; empty if something is wrong beside the values. */
std::vector<float> run_case(const Case& c, int32_t form, const Convolution& convolution, const std::vector<float>& x,
                            const std::vector<float>& residual, int32_t threads) {
    const Spec& s = c.spec;
    kofn_tensor wide = input_of(s, form, c.batch, c.in_halo);
    wide.channels += c.channels_before + c.channels_behind;
    Tensor input(wide), output(output_of(s, form, c.batch, c.out_halo)), other(output.layout);

    // The channels that are not read are poison, and so is what lies behind the last element.
    const float poison = std::numeric_limits<float>::quiet_NaN();
    const size_t area = static_cast<size_t>(s.height) * s.width;
    std::vector<float> planes(static_cast<size_t>(c.batch) * wide.channels * area, poison);
    for (int32_t image = 0; image < c.batch; ++image) {
        std::copy_n(x.begin() + static_cast<long>(image * s.inputs * area), s.inputs * area,
                    planes.begin() + static_cast<long>((image * wide.channels + c.channels_before) * area));
    }
    input.set(planes);
    std::fill(input.data() + input.strides.floats - 16, input.data() + input.strides.floats, poison);
    const std::vector<float> poisoned(static_cast<size_t>(c.batch) * s.outputs * s.out_height() * s.out_width(), poison);
    output.set(c.residual == Case::in_place ? residual : poisoned);
    if (c.residual == Case::apart) {
        other.set(residual);
    }

    const kofn_conv view = convolution.view();
    kofn_conv_plan* plan = nullptr;
    const int32_t opened = kofn_cpu_conv_open(&view, &wide, &output.layout, threads, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    Memory workspace(kofn_cpu_conv_workspace(plan));
    std::fill(workspace.data(), workspace.data() + workspace.size(), poison);
    const float* added = c.residual == Case::none ? nullptr : c.residual == Case::apart ? other.data() : output.data();
    CHECK(kofn_cpu_conv_run(plan, input.data() + c.channels_before * input.strides.plane, output.data(), added,
                            workspace.data(), threads) == KOFN_CONV_OK);
    CHECK(output.memory.intact() && input.memory.intact() && other.memory.intact() && workspace.intact());
    CHECK(halo_is_zero(output));
    kofn_cpu_conv_close(plan);
    return output.plain();
}

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void print(const Case& c, const char* variant) {
    const Spec& s = c.spec;
    std::fprintf(stderr, "%s: n %d k %d b %d O %d, %dx%d, kernel %dx%d stride %d,%d padding %d,%d, batch %d form %d halo %d "
                 "to %d, residual %d\n", variant, s.inputs, s.kept, s.share, s.outputs, s.height, s.width, s.rows, s.columns,
                 s.stride_rows, s.stride_columns, s.padding_rows, s.padding_columns, c.batch, c.form, c.in_halo, c.out_halo,
                 c.residual);
}

/** The variants that this processor has. */
std::vector<std::string> variants() {
    std::vector<std::string> names;
    for (const char* name : {"portable", "avx2", "avx512"}) {
        if (kofn_cpu_use_variant(name) != 0) {
            names.push_back(name);
        }
    }
    return names;
}

/** One case in all variants, both forms, with one to three threads. */
void test_case(const Case& c, const std::vector<std::string>& names) {
    Random random(c.seed);
    const Spec& s = c.spec;
    const Convolution convolution(s, c.seed, c.whole);
    const std::vector<float> x =
        random_values(random, static_cast<size_t>(c.batch) * s.inputs * s.height * s.width, c.whole);
    std::vector<float> residual;
    if (c.residual != Case::none) {
        residual = random_values(random, static_cast<size_t>(c.batch) * s.outputs * s.out_height() * s.out_width(), c.whole);
    }
    const Expected want = expected(convolution, x, residual, c.batch);
    std::vector<float> fused; // what the variants with fused multiplication and addition agree on
    for (const std::string& name : names) {
        kofn_cpu_use_variant(name.c_str());
        const std::vector<float> y = run_case(c, c.form, convolution, x, residual, 1);
        bool close = y.size() == want.values.size();
        for (size_t i = 0; i < y.size() && close; ++i) {
            const double off = std::abs(static_cast<double>(y[i]) - want.values[i]);
            close = c.whole ? off == 0 : off <= want.bounds[i];
        }
        CHECK(close);
        if (!close) {
            print(c, name.c_str());
        }
        const int32_t other_form = c.form == KOFN_PLANES ? KOFN_BATCH16 : KOFN_PLANES;
        CHECK(equal_bits(y, run_case(c, c.form, convolution, x, residual, 2)));
        CHECK(equal_bits(y, run_case(c, other_form, convolution, x, residual, 3)));
        if (name != "portable") {
            CHECK(fused.empty() || equal_bits(y, fused));
            fused = y;
        }
    }
}

/** One plan on several threads at once, each run with threads of its own. */
void test_concurrent_runs() {
    Spec s;
    s.inputs = s.outputs = 32;
    s.height = s.width = 14;
    s.rows = s.columns = 3;
    s.stride_rows = s.stride_columns = 2;
    s.padding_rows = s.padding_columns = 1;
    s.kept = 8;
    const Convolution convolution(s, 1, false);
    const kofn_conv view = convolution.view();
    Random random(2);
    const auto values = random_values(random, static_cast<size_t>(s.inputs) * s.height * s.width, false);
    Tensor input(input_of(s, KOFN_PLANES, 1, 1));
    input.set(values);
    const kofn_tensor to = output_of(s, KOFN_PLANES, 1, 1);
    kofn_conv_plan* plan = nullptr;
    CHECK(kofn_cpu_conv_open(&view, &input.layout, &to, 2, &plan) == KOFN_CONV_OK);
    std::vector<std::vector<float>> results(4);
    std::vector<std::thread> threads;
    for (auto& result : results) {
        threads.emplace_back([&] {
            Tensor output(to);
            Memory workspace(kofn_cpu_conv_workspace(plan));
            for (int run = 0; run < 20; ++run) {
                kofn_cpu_conv_run(plan, input.data(), output.data(), nullptr, workspace.data(), 2);
            }
            result = output.plain();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const auto& result : results) {
        CHECK(equal_bits(result, results[0]));
    }
    kofn_cpu_conv_close(plan);
}

/** Into a padded tensor and out again, in both forms. */
void test_tensors(Random& random) {
    for (const int32_t form : {KOFN_PLANES, KOFN_BATCH16}) {
        for (const int32_t batch : {1, 15, 16, 17, 33}) {
            Tensor tensor({form, batch, pick(random, 1, 5), pick(random, 1, 9), pick(random, 1, 20), pick(random, 0, 3)});
            const size_t count = static_cast<size_t>(batch) * tensor.layout.channels * tensor.layout.height
                * tensor.layout.width;
            const auto values = random_values(random, count, false);
            tensor.set(values);
            CHECK(equal_bits(tensor.plain(), values));
            CHECK(halo_is_zero(tensor) && tensor.memory.intact());
            kofn_tensor other = tensor.layout;
            other.form = pick(random, 0, 1);
            other.halo = pick(random, 0, 3);
            Tensor converted(other);
            CHECK(kofn_cpu_tensor_convert(&tensor.layout, tensor.data(), &other, converted.data(), 2) == KOFN_CONV_OK);
            CHECK(equal_bits(converted.plain(), values) && halo_is_zero(converted) && converted.memory.intact());
            ++other.width;
            CHECK(kofn_cpu_tensor_convert(&tensor.layout, tensor.data(), &other, converted.data(), 2)
                  == KOFN_CONV_LAYOUT);
            const int64_t pixel = form == KOFN_BATCH16 ? 16 : 1;
            const kofn_strides& at = tensor.strides;
            CHECK(at.row >= (tensor.layout.width + tensor.layout.halo) * pixel && at.plane % 32 == 16);
            CHECK(tensor.data()[at.origin] == values[0]);
        }
    }
    CHECK(kofn_tensor_form(1, 4) == KOFN_PLANES && kofn_tensor_form(17, 4) == KOFN_PLANES);
    CHECK(kofn_tensor_form(16, 4) == KOFN_BATCH16 && kofn_tensor_form(32, 4) == KOFN_BATCH16);
    CHECK(kofn_tensor_form(32, 14) == KOFN_PLANES);
}

/** A convolution and tensors in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    float weights[4 * 9] = {};
    kofn_conv conv{};
    kofn_tensor input{KOFN_PLANES, 1, 4, 5, 5, 1}, output{KOFN_PLANES, 1, 2, 5, 5, 0};
    int32_t threads = 2;

    Request() {
        conv.inputs = 4;
        conv.outputs = 2;
        conv.height = conv.width = 5;
        conv.rows = conv.columns = 3;
        conv.stride_rows = conv.stride_columns = conv.padding_rows = conv.padding_columns = conv.share = 1;
        conv.kept = 2;
        conv.indices = indices;
        conv.weights = weights;
    }

    /** The status; a refusal must leave the plan's pointer alone. */
    int32_t open() {
        kofn_conv_plan* const untouched = reinterpret_cast<kofn_conv_plan*>(this);
        kofn_conv_plan* plan = untouched;
        const int32_t status = kofn_cpu_conv_open(&conv, &input, &output, threads, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cpu_conv_close(plan);
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
        CHECK(opened([=](Request& r) { r.conv.kept = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {0, -1, 3, 4}) {
        CHECK(opened([=](Request& r) { r.conv.share = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {-1, 4, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.indices[3] = bad; }) == KOFN_CONV_INDEX);
        CHECK(opened([=](Request& r) { r.indices[0] = bad; }) == KOFN_CONV_INDEX);
    }
    CHECK(opened([](Request& r) { r.indices[1] = 0; }) == KOFN_CONV_INDEX);                // twice
    CHECK(opened([](Request& r) { std::swap(r.indices[2], r.indices[3]); }) == KOFN_CONV_INDEX); // descending
    CHECK(opened([](Request& r) { r.conv.indices = nullptr; }) == KOFN_CONV_NULL);
    CHECK(opened([](Request& r) { r.conv.weights = nullptr; }) == KOFN_CONV_NULL);
    for (const int32_t bad : {0, -1, INT32_MAX}) {
        CHECK(opened([=](Request& r) { r.conv.inputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.outputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.height = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.width = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.rows = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.columns = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.stride_rows = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.stride_columns = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.input.batch = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.output.channels = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.threads = bad; }) == KOFN_CONV_THREADS);
    }
    for (const int32_t bad : {-1, 4}) {
        CHECK(opened([=](Request& r) { r.conv.padding_rows = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.padding_columns = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.activation = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.input.halo = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.input.form = bad; }) == KOFN_CONV_SHAPE);
    }
    CHECK(opened([](Request& r) { r.conv.rows = 7, r.conv.padding_rows = 0; }) == KOFN_CONV_SHAPE); // no output left
    CHECK(opened([](Request& r) { r.input.halo = 0; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.input.channels = 3; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.input.width = 6; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.output.height = 4; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.output.batch = 2; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.output.form = KOFN_BATCH16; }) == KOFN_CONV_LAYOUT);

    const kofn_tensor huge{KOFN_BATCH16, 16, 1 << 10, 1 << 10, 1 << 10, 1};
    kofn_strides strides;
    CHECK(kofn_tensor_strides(&huge, &strides) == KOFN_CONV_SHAPE);
    CHECK(kofn_tensor_strides(nullptr, &strides) == KOFN_CONV_NULL);

    Request request;
    kofn_conv_plan* plan = nullptr;
    CHECK(kofn_cpu_conv_open(&request.conv, &request.input, &request.output, 2, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_conv_open(&request.conv, &request.input, &request.output, 2, &plan) == KOFN_CONV_OK);
    Tensor input(request.input), output(request.output);
    CHECK(kofn_cpu_conv_run(plan, nullptr, output.data(), nullptr, nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_conv_run(plan, input.data(), nullptr, nullptr, nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_conv_run(plan, input.data(), output.data(), nullptr, nullptr, 0) == KOFN_CONV_THREADS);
    CHECK(kofn_cpu_conv_run(plan, input.data(), output.data(), nullptr, nullptr, 3) == KOFN_CONV_THREADS);
    CHECK(halo_is_zero(output));
    kofn_cpu_conv_close(plan);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    const std::string best = kofn_cpu_variant();
    const std::vector<std::string> names = variants();
    Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 5000 : 300;
    for (int i = 0; i < cases; ++i) {
        test_case(random_case(random), names);
    }
    kofn_cpu_use_variant(best.c_str());
    test_tensors(random);
    test_concurrent_runs();
    test_refusals();
    return kofn::checks_summary("sparse_conv_cpu_test");
}
