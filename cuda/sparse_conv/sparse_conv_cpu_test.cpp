#include <cmath>
#include <limits>
#include <string>
#include <thread>

#include "../common/check.h"
#include "../common/variants.h"
#include "reference.h"

/**
 * The convolution of the CPU against its definition in double precision, on shapes drawn at random; all variants, forms
 * and numbers of threads. KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

/** Whether everything between the elements is still zero: clearing it again changes nothing. */
bool halo_is_zero(const Tensor& tensor) {
    Memory cleared(tensor.memory.size());
    std::memcpy(cleared.data(), tensor.data(), static_cast<size_t>(cleared.size()) * sizeof(float));
    kofn_cpu_tensor_clear(&tensor.layout, cleared.data(), 1);
    return std::memcmp(cleared.data(), tensor.data(), static_cast<size_t>(cleared.size()) * sizeof(float)) == 0;
}

/** Runs one case with the variant in use; empty if something is wrong beside the values. */
std::vector<float> run_case(const Case& c, int32_t form, const Convolution& convolution, const std::vector<float>& x,
                            const std::vector<float>& residual, int32_t threads, int32_t precision = KOFN_FP32) {
    const Spec& s = c.spec;
    kofn_tensor wide = input_of(s, form, c.batch, c.in_halo), narrow = output_of(s, form, c.batch, c.out_halo);
    wide.channels += c.channels_before + c.channels_behind;
    wide.precision = narrow.precision = precision;
    Tensor input(wide), output(narrow), other(narrow);

    // The channels that are not read are poison, and so is what lies behind the last element.
    const float poison = std::numeric_limits<float>::quiet_NaN();
    const size_t area = static_cast<size_t>(s.height) * s.width;
    std::vector<float> planes(static_cast<size_t>(c.batch) * wide.channels * area, poison);
    for (int32_t image = 0; image < c.batch; ++image) {
        std::copy_n(x.begin() + static_cast<long>(image * s.inputs * area), s.inputs * area,
                    planes.begin() + static_cast<long>((image * wide.channels + c.channels_before) * area));
    }
    input.set(planes);
    std::memset(input.at(input.strides.elements - 16), 0xff, precision == KOFN_BF16 ? 16 * 2 : 16 * 4);
    const size_t count = static_cast<size_t>(c.batch) * s.outputs * s.out_height() * s.out_width();
    const std::vector<float> poisoned(count, poison);
    output.set(c.residual == Case::in_place ? residual : poisoned);
    if (c.residual == Case::apart) {
        other.set(residual);
    }

    // With several threads the plan is made with other weights, which are then replaced.
    const std::vector<float> poisoned_weights(convolution.weights.size(), poison);
    kofn_conv view = convolution.view();
    view.weights = threads > 1 ? poisoned_weights.data() : view.weights;
    kofn_conv_plan* plan = nullptr;
    const int32_t opened = kofn_cpu_conv_open(&view, &wide, &output.layout, threads, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    if (threads > 1) {
        CHECK(kofn_cpu_conv_set_weights(plan, convolution.weights.data(), view.bias, threads) == KOFN_CONV_OK);
    }
    Memory workspace(kofn_cpu_conv_workspace(plan));
    std::fill(workspace.data(), workspace.data() + workspace.size(), poison);
    const float* added = c.residual == Case::none ? nullptr : c.residual == Case::apart ? other.data() : output.data();
    CHECK(kofn_cpu_conv_run(plan, input.at(c.channels_before * input.strides.plane), output.data(), added,
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
    std::fprintf(stderr,
                 "%s: n %d k %d b %d O %d, %dx%d, kernel %dx%d stride %d,%d padding %d,%d, batch %d form %d "
                 "halo %d to %d, residual %d\n",
                 variant, s.inputs, s.kept, s.share, s.outputs, s.height, s.width, s.rows, s.columns, s.stride_rows,
                 s.stride_columns, s.padding_rows, s.padding_columns, c.batch, c.form, c.in_halo, c.out_halo,
                 c.residual);
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
        const size_t outputs = static_cast<size_t>(c.batch) * s.outputs * s.out_height() * s.out_width();
        residual = random_values(random, outputs, c.whole);
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

/** In bf16, the result is that of fp32 for what is stored, rounded once: in all variants, forms and threads. */
void test_bf16(const Case& c, const std::vector<std::string>& names) {
    Random random(c.seed);
    const Spec& s = c.spec;
    const Convolution given(s, c.seed, c.whole);
    Convolution stored = given;
    stored.weights = rounded_to_bf16(given.weights);
    const size_t inputs = static_cast<size_t>(c.batch) * s.inputs * s.height * s.width;
    const std::vector<float> x = rounded_to_bf16(random_values(random, inputs, c.whole));
    std::vector<float> residual;
    if (c.residual != Case::none) {
        const size_t outputs = static_cast<size_t>(c.batch) * s.outputs * s.out_height() * s.out_width();
        residual = rounded_to_bf16(random_values(random, outputs, c.whole));
    }
    for (const std::string& name : names) {
        kofn_cpu_use_variant(name.c_str());
        const std::vector<float> y = rounded_to_bf16(run_case(c, c.form, stored, x, residual, 1));
        bool same = !y.empty();
        for (const int32_t threads : {1, 2, 3}) {
            const int32_t form = (c.form + threads) % 2;
            same = same && equal_bits(y, run_case(c, form, given, x, residual, threads, KOFN_BF16));
        }
        CHECK(same);
        if (!same) {
            print(c, name.c_str());
        }
    }
}

/** Large enough for several threads, so that they share a widened input, or each widen strips of it. */
void test_large_bf16(const std::vector<std::string>& names) {
    Case c{};
    Spec& s = c.spec;
    s.inputs = s.outputs = 64;
    s.rows = s.columns = 3;
    s.padding_rows = s.padding_columns = 1;
    s.kept = 20;
    s.stride_rows = s.stride_columns = c.in_halo = c.out_halo = 1;
    c.residual = Case::apart;
    c.seed = 1;
    const int32_t sizes[][4] = {{1, 30, 30, 1}, {17, 14, 14, 1}, {1, 10, 140, 1}, {17, 30, 10, 2}};
    for (const auto& [batch, height, width, stride] : sizes) {
        c.batch = batch;
        s.height = height;
        s.width = width;
        s.stride_rows = s.stride_columns = stride;
        test_bf16(c, names);
    }
    s.rows = s.columns = s.stride_rows = s.stride_columns = 1;
    s.padding_rows = s.padding_columns = 0;
    s.height = s.width = 28;
    for (const int32_t share : {1, 16}) {
        s.share = share;
        c.batch = 16;
        test_bf16(c, names);
    }
}

/** What rounding must do with every kind of number: a bias is all that comes out. */
void test_rounding(const std::vector<std::string>& names) {
    std::vector<float> values = {0.0f, 1.0f, -1.0f, 0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, 0x1.fep0f, 0x1.ffp0f, 0x1p-140f,
                                 -0x1.8p-134f, std::numeric_limits<float>::max(),
                                 std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<float>::quiet_NaN(), bits_float(0x7f800001u),
                                 bits_float(0xffffffffu)};
    std::mt19937 random(1);
    while (values.size() < 1000) {
        values.push_back(bits_float(static_cast<uint32_t>(random())));
    }
    Spec s;
    s.outputs = static_cast<int32_t>(values.size());
    s.bias = true;
    s.height = s.width = 5;
    Convolution convolution(s, 1, true);
    convolution.bias = values;
    for (const std::string& name : names) {
        kofn_cpu_use_variant(name.c_str());
        for (const int32_t form : {KOFN_PLANES, KOFN_BATCH16}) {
            kofn_tensor in = input_of(s, form, 1, 0), out = output_of(s, form, 1, 0);
            in.precision = out.precision = KOFN_BF16;
            Tensor input(in), output(out);
            input.set(std::vector<float>(25, 0.0f));
            const kofn_conv view = convolution.view();
            kofn_conv_plan* plan = nullptr;
            CHECK(kofn_cpu_conv_open(&view, &in, &out, 1, &plan) == KOFN_CONV_OK);
            Memory workspace(kofn_cpu_conv_workspace(plan));
            CHECK(kofn_cpu_conv_run(plan, input.data(), output.data(), nullptr, workspace.data(), 1) == KOFN_CONV_OK);
            const std::vector<float> y = output.plain();
            bool all = true;
            for (size_t i = 0; i < y.size(); ++i) {
                all = all && to_bfloat16(y[i]) == to_bfloat16(values[i / 25] + 0.0f);
            }
            CHECK(all);
            kofn_cpu_conv_close(plan);
        }
    }
}

/** Planes that are too large for caches, whose outputs go past them. */
void test_large(const std::vector<std::string>& names) {
    Case c{};
    c.spec.inputs = 9;
    c.spec.outputs = 35;
    c.spec.height = c.spec.width = 64;
    c.spec.kept = 3;
    c.spec.activation = KOFN_RELU;
    c.batch = 32;
    c.form = KOFN_BATCH16;
    c.out_halo = 1;
    c.residual = Case::in_place;
    c.seed = 1;
    test_case(c, names);
    c.out_halo = 0;
    c.residual = Case::none;
    test_case(c, names);
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
            const int32_t channels = pick(random, 1, 5), height = pick(random, 1, 9), width = pick(random, 1, 20);
            Tensor tensor({form, batch, channels, height, width, pick(random, 0, 3), KOFN_FP32});
            const size_t count = static_cast<size_t>(batch) * tensor.layout.channels * tensor.layout.height
                * tensor.layout.width;
            const auto values = random_values(random, count, false);
            tensor.set(values);
            CHECK(equal_bits(tensor.plain(), values));
            kofn_tensor half = tensor.layout;
            half.precision = KOFN_BF16;
            Tensor halves(half), again(tensor.layout);
            halves.set(values);
            CHECK(equal_bits(halves.plain(), rounded_to_bf16(values)) && halo_is_zero(halves));
            CHECK(halves.memory.intact());
            CHECK(kofn_cpu_tensor_convert(&half, halves.data(), &again.layout, again.data(), 2) == KOFN_CONV_OK);
            CHECK(equal_bits(again.plain(), halves.plain()) && halo_is_zero(again));
            CHECK(kofn_cpu_tensor_convert(&tensor.layout, tensor.data(), &half, halves.data(), 2) == KOFN_CONV_OK);
            CHECK(equal_bits(again.plain(), halves.plain()));
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
    CHECK(kofn_tensor_form(32, 64) == KOFN_BATCH16 && kofn_tensor_form(32, 112) == KOFN_PLANES);
}

/** A convolution and tensors in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    float weights[4 * 9] = {};
    kofn_conv conv{};
    kofn_tensor input{KOFN_PLANES, 1, 4, 5, 5, 1, KOFN_FP32}, output{KOFN_PLANES, 1, 2, 5, 5, 0, KOFN_FP32};
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
    CHECK(opened([](Request& r) { r.output.precision = KOFN_BF16; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.input.precision = r.output.precision = KOFN_TF32; }) == KOFN_CONV_SHAPE);

    const kofn_tensor huge{KOFN_BATCH16, 16, 1 << 10, 1 << 10, 1 << 10, 1, KOFN_BF16};
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
    CHECK(kofn_cpu_conv_set_weights(plan, nullptr, nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_conv_set_weights(plan, request.weights, nullptr, 3) == KOFN_CONV_THREADS);
    kofn_cpu_conv_close(plan);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    const std::string best = kofn_cpu_variant();
    const std::vector<std::string>& names = kofn::variants();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 5000 : 300;
    for (int i = 0; i < cases; ++i) {
        const Case c = random_case(random);
        test_case(c, names);
        if (i % 4 == 0) {
            test_bf16(c, names);
        }
    }
    test_large(names);
    test_large_bf16(names);
    test_rounding(names);
    kofn_cpu_use_variant(best.c_str());
    test_tensors(random);
    test_concurrent_runs();
    test_refusals();
    return kofn::checks_summary("sparse_conv_cpu_test");
}
