#include <string>

#include "../common/check.h"
#include "../common/variants.h"
#include "backward_reference.h"
#include "sparse_conv_backward.h"

/**
 * The gradients of the CPU against their definition in double precision and against the forward pass, whose adjoint
 * they are; on shapes drawn at random, all variants, forms and numbers of threads. KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

struct Gradients {
    std::vector<float> input, weights, bias;
};

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/** Whether everything between the elements is still zero: clearing it again changes nothing. */
bool halo_is_zero(const Tensor& tensor) {
    Memory cleared(tensor.memory.size());
    std::memcpy(cleared.data(), tensor.data(), static_cast<size_t>(cleared.size()) * sizeof(float));
    kofn_cpu_tensor_clear(&tensor.layout, cleared.data(), 1);
    return std::memcmp(cleared.data(), tensor.data(), static_cast<size_t>(cleared.size()) * sizeof(float)) == 0;
}

/** Some finite value in the lanes of KOFN_BATCH16 that have no image. */
void fill_empty_lanes(Tensor& tensor) {
    const kofn_tensor& t = tensor.layout;
    if (t.form != KOFN_BATCH16 || t.batch % 16 == 0) {
        return;
    }
    for (int64_t c = 0; c < t.channels; ++c) {
        for (int64_t pixel = 0; pixel < int64_t{t.height} * t.width; ++pixel) {
            float* lanes = tensor.data() + tensor.strides.origin + t.batch / 16 * tensor.strides.image
                + c * tensor.strides.plane + pixel / t.width * tensor.strides.row + pixel % t.width * 16;
            std::fill(lanes + t.batch % 16, lanes + 16, 5.0f);
        }
    }
}

/** The planes of a convolution's input among the channels of a wider tensor, all others of one value. */
std::vector<float> widened(const Case& c, const std::vector<float>& x, float others) {
    const Spec& s = c.spec;
    const int64_t channels = s.inputs + c.channels_before + c.channels_behind, area = int64_t{s.height} * s.width;
    std::vector<float> planes(static_cast<size_t>(c.batch * channels * area), others);
    for (int64_t image = 0; image < c.batch; ++image) {
        std::copy_n(x.begin() + image * s.inputs * area, s.inputs * area,
                    planes.begin() + (image * channels + c.channels_before) * area);
    }
    return planes;
}

std::vector<float> narrowed(const Case& c, const std::vector<float>& planes) {
    const Spec& s = c.spec;
    const int64_t channels = s.inputs + c.channels_before + c.channels_behind, area = int64_t{s.height} * s.width;
    std::vector<float> x;
    for (int64_t image = 0; image < c.batch; ++image) {
        const auto from = planes.begin() + (image * channels + c.channels_before) * area;
        x.insert(x.end(), from, from + s.inputs * area);
    }
    return x;
}

/** Both passes for one case with the variant in use; empty if something is wrong beside the values. */
Gradients run_case(const Case& c, int32_t form, const Convolution& convolution, const std::vector<float>& x,
                   const std::vector<float>& dy, int32_t threads) {
    const Spec& s = c.spec;
    kofn_tensor wide = input_of(s, form, c.batch, c.in_halo);
    wide.channels += c.channels_before + c.channels_behind;
    Tensor input(wide), grad_input(wide), grad_output(output_of(s, form, c.batch, c.out_halo));
    input.set(widened(c, x, 3.0f));
    grad_output.set(dy);
    fill_empty_lanes(input);
    fill_empty_lanes(grad_output);
    const float poison = std::numeric_limits<float>::quiet_NaN();
    grad_input.set(widened(c, std::vector<float>(x.size(), poison), 7.0f));

    kofn_conv view = convolution.view();
    view.weights = view.bias = nullptr;
    kofn_conv_backward* plan = nullptr;
    const int32_t opened = kofn_cpu_conv_backward_open(&view, &wide, &grad_output.layout, threads, &plan);
    CHECK(opened == KOFN_CONV_OK);
    if (opened != KOFN_CONV_OK) {
        return {};
    }
    Memory data_workspace(kofn_cpu_conv_backward_data_workspace(plan));
    Memory weights_workspace(kofn_cpu_conv_backward_weights_workspace(plan));
    for (Memory* workspace : {&data_workspace, &weights_workspace}) {
        std::fill(workspace->data(), workspace->data() + workspace->size(), poison);
    }
    Memory weights(static_cast<int64_t>(convolution.weights.size())), bias(s.outputs);
    const int64_t before = c.channels_before * input.strides.plane;
    CHECK(kofn_cpu_conv_backward_data(plan, convolution.weights.data(), grad_output.data(), grad_input.data() + before,
                                      data_workspace.data(), threads) == KOFN_CONV_OK);
    CHECK(kofn_cpu_conv_backward_weights(plan, input.data() + before, grad_output.data(), weights.data(),
                                         s.bias ? bias.data() : nullptr, weights_workspace.data(), threads)
          == KOFN_CONV_OK);
    kofn_cpu_conv_backward_close(plan);
    CHECK(input.memory.intact() && grad_output.memory.intact() && grad_input.memory.intact() && weights.intact());
    CHECK(bias.intact() && data_workspace.intact() && weights_workspace.intact());
    CHECK(halo_is_zero(grad_input));
    const std::vector<float> planes = grad_input.plain(), found = narrowed(c, planes);
    CHECK(equal_bits(planes, widened(c, found, 7.0f))); // other channels are as they were
    return {found, std::vector<float>(weights.data(), weights.data() + weights.size()),
            s.bias ? std::vector<float>(bias.data(), bias.data() + bias.size()) : std::vector<float>()};
}

bool close(const std::vector<float>& found, const Expected& want, bool whole) {
    bool holds = found.size() == want.values.size();
    for (size_t i = 0; i < found.size() && holds; ++i) {
        const double off = std::abs(static_cast<double>(found[i]) - want.values[i]);
        holds = whole ? off == 0 : off <= want.bounds[i];
    }
    return holds;
}

/** Σ a·b, and by how much it may be off if each a may be off by so much. */
double product(const std::vector<float>& a, const std::vector<float>& b, const std::vector<double>& bounds,
               double& off) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        sum += static_cast<double>(a[i]) * b[i];
        off += bounds[i] * std::abs(static_cast<double>(b[i]));
    }
    return sum;
}

/** The output of the forward pass. */
std::vector<float> forward(const Case& c, const Convolution& convolution, const std::vector<float>& x) {
    Tensor input(input_of(c.spec, c.form, c.batch, c.in_halo)), output(output_of(c.spec, c.form, c.batch, c.out_halo));
    input.set(x);
    kofn_conv view = convolution.view();
    view.bias = nullptr;
    kofn_conv_plan* plan = nullptr;
    CHECK(kofn_cpu_conv_open(&view, &input.layout, &output.layout, 1, &plan) == KOFN_CONV_OK);
    Memory workspace(kofn_cpu_conv_workspace(plan));
    kofn_cpu_conv_run(plan, input.data(), output.data(), nullptr, workspace.data(), 1);
    kofn_cpu_conv_close(plan);
    return output.plain();
}

/** The convolution is linear in x and in its weights: ⟨dy, y⟩ = ⟨dx, x⟩ = ⟨dw, w⟩. */
bool is_adjoint(const Case& c, const Convolution& convolution, const std::vector<float>& x,
                const std::vector<float>& dy, const Gradients& found, const ExpectedGradients& want) {
    Convolution linear = convolution;
    linear.spec.bias = false;
    double off_output = 0, off_input = 0, off_weights = 0;
    const double by_output =
        product(forward(c, linear, x), dy, expected(linear, x, {}, c.batch).bounds, off_output);
    const double by_input = product(found.input, x, want.input.bounds, off_input);
    const double by_weights = product(found.weights, convolution.weights, want.weights.bounds, off_weights);
    return c.whole ? by_output == by_input && by_output == by_weights
                   : std::abs(by_output - by_input) <= off_output + off_input
            && std::abs(by_output - by_weights) <= off_output + off_weights;
}

void print(const Case& c, const char* variant) {
    const Spec& s = c.spec;
    std::fprintf(stderr,
                 "%s: n %d k %d b %d O %d, %dx%d, kernel %dx%d stride %d,%d padding %d,%d, batch %d form %d halo %d to %d\n",
                 variant, s.inputs, s.kept, s.share, s.outputs, s.height, s.width, s.rows, s.columns, s.stride_rows,
                 s.stride_columns, s.padding_rows, s.padding_columns, c.batch, c.form, c.in_halo, c.out_halo);
}

/** One case in all variants, both forms, with one to three threads. */
void test_case(Case c, const std::vector<std::string>& names) {
    Random random(c.seed);
    Spec& s = c.spec;
    s.activation = KOFN_IDENTITY;
    const Convolution convolution(s, c.seed, c.whole);
    const size_t area = static_cast<size_t>(s.out_height()) * s.out_width();
    const auto x = random_values(random, static_cast<size_t>(c.batch) * s.inputs * s.height * s.width, c.whole);
    const auto dy = random_values(random, static_cast<size_t>(c.batch) * s.outputs * area, c.whole);
    const ExpectedGradients want = expected_gradients(convolution, x, dy, c.batch);
    std::vector<float> fused; // what the variants with fused multiplication and addition agree on
    for (const std::string& name : names) {
        kofn_cpu_use_variant(name.c_str());
        const Gradients found = run_case(c, c.form, convolution, x, dy, 1);
        const bool data = close(found.input, want.input, c.whole), weights = close(found.weights, want.weights, c.whole);
        const bool bias = !s.bias || close(found.bias, want.bias, c.whole);
        const bool adjoint = is_adjoint(c, convolution, x, dy, found, want);
        CHECK(data);
        CHECK(weights);
        CHECK(bias);
        CHECK(adjoint);
        if (!data || !weights || !bias || !adjoint) {
            print(c, name.c_str());
        }
        const Gradients threads = run_case(c, c.form, convolution, x, dy, 2);
        CHECK(equal_bits(found.input, threads.input) && equal_bits(found.weights, threads.weights));
        CHECK(equal_bits(found.bias, threads.bias));
        const int32_t other = c.form == KOFN_PLANES ? KOFN_BATCH16 : KOFN_PLANES;
        const Gradients form = run_case(c, other, convolution, x, dy, 3);
        CHECK(equal_bits(found.input, form.input));
        CHECK(close(form.weights, want.weights, c.whole) && (!s.bias || close(form.bias, want.bias, c.whole)));
        if (name != "portable") {
            CHECK(fused.empty() || equal_bits(found.input, fused));
            fused = found.input;
        }
    }
}

/** A layer large enough that x takes several blocks, and its parts of the batch several tasks. */
void test_blocks(const std::vector<std::string>& names) {
    for (const int32_t taps : {1, 3}) {
        for (const int32_t batch : {3, 16}) {
            Case c{};
            c.spec.inputs = batch == 3 ? 96 : 48;
            c.spec.outputs = 6;
            c.spec.height = c.spec.width = 37;
            c.spec.rows = c.spec.columns = taps;
            c.spec.stride_rows = c.spec.stride_columns = 1;
            c.spec.padding_rows = c.spec.padding_columns = taps / 2;
            c.spec.kept = 3;
            c.spec.bias = true;
            c.batch = batch;
            c.form = batch == 3 ? KOFN_PLANES : KOFN_BATCH16;
            c.in_halo = c.out_halo = taps / 2;
            c.whole = taps == 3;
            c.seed = 5;
            test_case(c, names);
        }
    }
}

/** Two outputs of four inputs in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    kofn_conv conv{};
    kofn_tensor input{KOFN_PLANES, 1, 4, 5, 5, 1, KOFN_FP32}, output{KOFN_PLANES, 1, 2, 5, 5, 0, KOFN_FP32};

    Request() {
        conv.inputs = 4;
        conv.outputs = 2;
        conv.height = conv.width = 5;
        conv.rows = conv.columns = 3;
        conv.stride_rows = conv.stride_columns = conv.padding_rows = conv.padding_columns = conv.share = 1;
        conv.kept = 2;
        conv.indices = indices;
    }

    int32_t open(int32_t threads = 2) {
        kofn_conv_backward* const untouched = reinterpret_cast<kofn_conv_backward*>(this);
        kofn_conv_backward* plan = untouched;
        const int32_t status = kofn_cpu_conv_backward_open(&conv, &input, &output, threads, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cpu_conv_backward_close(plan);
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
    CHECK(opened([](Request& r) { r.conv.activation = KOFN_RELU; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) { r.conv.kept = 5; }) == KOFN_CONV_KEPT);
    CHECK(opened([](Request& r) { r.indices[1] = 0; }) == KOFN_CONV_INDEX);
    CHECK(opened([](Request& r) { r.conv.indices = nullptr; }) == KOFN_CONV_NULL);
    CHECK(opened([](Request& r) { r.conv.rows = 8; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) { r.input.halo = 0; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.output.channels = 1; }) == KOFN_CONV_LAYOUT);
    CHECK(opened([](Request& r) { r.input.precision = r.output.precision = KOFN_BF16; }) == KOFN_CONV_SHAPE);
    CHECK(Request().open(0) == KOFN_CONV_THREADS && Request().open(1025) == KOFN_CONV_THREADS);

    Request request;
    kofn_conv_backward* plan = nullptr;
    CHECK(kofn_cpu_conv_backward_open(nullptr, &request.input, &request.output, 2, &plan) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_conv_backward_open(&request.conv, &request.input, &request.output, 2, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cpu_conv_backward_open(&request.conv, &request.input, &request.output, 2, &plan) == KOFN_CONV_OK);
    Tensor x(request.input), dx(request.input), dy(request.output);
    const std::vector<float> weights(2 * 2 * 9, 1.0f), untouched(weights.size(), 3.0f);
    std::vector<float> dw = untouched;
    Memory workspace(std::max(kofn_cpu_conv_backward_data_workspace(plan),
                              kofn_cpu_conv_backward_weights_workspace(plan)));
    const auto data = [&](const float* w, const float* from, float* to, float* scratch, int32_t threads) {
        return kofn_cpu_conv_backward_data(plan, w, from, to, scratch, threads);
    };
    CHECK(data(nullptr, dy.data(), dx.data(), workspace.data(), 1) == KOFN_CONV_NULL);
    CHECK(data(weights.data(), nullptr, dx.data(), workspace.data(), 1) == KOFN_CONV_NULL);
    CHECK(data(weights.data(), dy.data(), nullptr, workspace.data(), 1) == KOFN_CONV_NULL);
    CHECK(data(weights.data(), dy.data(), dx.data(), nullptr, 1) == KOFN_CONV_NULL);
    CHECK(data(weights.data(), dy.data(), dx.data(), workspace.data(), 0) == KOFN_CONV_THREADS);
    CHECK(data(weights.data(), dy.data(), dx.data(), workspace.data(), 3) == KOFN_CONV_THREADS);
    const auto kernels = [&](const float* from, const float* gradient, float* to, int32_t threads) {
        return kofn_cpu_conv_backward_weights(plan, from, gradient, to, nullptr, workspace.data(), threads);
    };
    CHECK(kernels(nullptr, dy.data(), dw.data(), 1) == KOFN_CONV_NULL);
    CHECK(kernels(x.data(), nullptr, dw.data(), 1) == KOFN_CONV_NULL);
    CHECK(kernels(x.data(), dy.data(), nullptr, 1) == KOFN_CONV_NULL);
    CHECK(kernels(x.data(), dy.data(), dw.data(), 3) == KOFN_CONV_THREADS);
    CHECK(equal_bits(dw, untouched));
    kofn_cpu_conv_backward_close(plan);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    const std::string best = kofn_cpu_variant();
    const std::vector<std::string>& names = kofn::variants();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 3000 : 150;
    for (int i = 0; i < cases; ++i) {
        test_case(random_case(random), names);
    }
    test_blocks(names);
    kofn_cpu_use_variant(best.c_str());
    test_refusals();
    return kofn::checks_summary("sparse_conv_backward_cpu_test");
}
