#include "method_test.cuh"

/**
 * The calls of sparse_conv_cuda.h: which method runs, that it is right, what is refused. Built twice: with KOFN_EMULATED
 * for the emulation, else for a real GPU. The methods' own tests draw more shapes.
 */
namespace kofn::conv {
namespace {

/** How many cases went to the direct and to the gathered method. */
int methods[2];

/** Whether a plan of other weights that is given the right ones computes y; the gathered method takes none. */
bool refilled(const MethodCase& on_device, int32_t batch, int32_t precision, bool gathered,
              const std::vector<float>& y) {
    kofn_conv conv = on_device.conv();
    const size_t count = static_cast<size_t>(conv.outputs) * conv.kept * conv.rows * conv.columns;
    OnDevice weights(stored(std::vector<float>(conv.weights, conv.weights + count), KOFN_FP32));
    const std::vector<float> others(count, 3.0f);
    conv.weights = others.data();
    kofn_cuda_conv_plan* plan = nullptr;
    CHECK(kofn_cuda_conv_open(&conv, batch, precision, &plan) == KOFN_CONV_OK);
    const int32_t status =
        kofn_cuda_conv_set_weights(plan, reinterpret_cast<const float*>(weights.data()), nullptr);
    CHECK(status == (gathered ? KOFN_CONV_SHAPE : KOFN_CONV_OK));
    const auto call = [plan](const void* x, void* out, const void* residual) {
        CHECK(kofn_cuda_conv_run(plan, x, out, residual, nullptr, nullptr) == KOFN_CONV_OK);
    };
    const bool same = gathered || same_bits(y, on_device.run(call, 0));
    kofn_cuda_conv_close(plan);
    return same;
}

/** A case through the calls; a plan that runs twice gives the same bits. */
void test_case(const Case& c, int32_t precision) {
    const MethodCase on_device(c, precision);
    const kofn_conv conv = on_device.conv();
    kofn_cuda_conv_plan* plan = nullptr;
    const int32_t status = kofn_cuda_conv_open(&conv, c.batch, precision, &plan);
    CHECK(status == KOFN_CONV_OK);
    if (status != KOFN_CONV_OK) {
        return;
    }
    const std::string words = kofn_cuda_conv_describe(plan);
    // Rows of 16 for tensor cores, where so many outputs share a list; never in fp32.
    const bool gathered = precision != KOFN_FP32 && c.spec.share % 16 == 0;
    ++methods[gathered ? 1 : 0];
    CHECK(words.rfind(gathered ? "gathered " : "direct ", 0) == 0);
    CHECK(words.find(precision == KOFN_BF16 ? ", bf16" : gathered ? ", tf32" : ", fp32") != std::string::npos);
    CHECK(kofn_cuda_conv_workspace(plan) == 0);
    CHECK(kofn_cuda_conv_bytes(plan) >= int64_t{2} * conv.outputs * conv.kept * conv.rows * conv.columns);
    const auto call = [plan](const void* x, void* y, const void* residual) {
        CHECK(kofn_cuda_conv_run(plan, x, y, residual, nullptr, nullptr) == KOFN_CONV_OK);
    };
    const std::vector<float> y = on_device.run(call, 0);
    const bool close = on_device.close(y, gathered && precision == KOFN_TF32 ? 0x1p-10 : 0);
    const bool same =
        same_bits(y, on_device.run(call, 3)) && refilled(on_device, c.batch, precision, gathered, y);
    CHECK(close);
    CHECK(same);
    if (!close || !same) {
        on_device.print(words);
    }
    kofn_cuda_conv_close(plan);
}

/** A convolution in order, of which a test spoils one thing. */
struct Request {
    int32_t indices[4] = {0, 2, 1, 3};
    float weights[4 * 9] = {};
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
        conv.weights = weights;
    }
    Request(const Request&) = delete; // the description points into it
    Request& operator=(const Request&) = delete;

    /** The status; a refusal must leave the plan's pointer alone. */
    int32_t open() {
        kofn_cuda_conv_plan* const untouched = reinterpret_cast<kofn_cuda_conv_plan*>(this);
        kofn_cuda_conv_plan* plan = untouched;
        const int32_t status = kofn_cuda_conv_open(&conv, batch, precision, &plan);
        if (status == KOFN_CONV_OK) {
            kofn_cuda_conv_close(plan);
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
        CHECK(opened([=](Request& r) { r.conv.activation = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {0, -1, (1 << 20) + 1, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.batch = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.inputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.outputs = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.height = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.width = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {0, -1, 8}) {
        CHECK(opened([=](Request& r) { r.conv.rows = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.columns = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.stride_rows = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.stride_columns = bad; }) == KOFN_CONV_SHAPE);
    }
    for (const int32_t bad : {-1, 4}) {
        CHECK(opened([=](Request& r) { r.conv.padding_rows = bad; }) == KOFN_CONV_SHAPE);
        CHECK(opened([=](Request& r) { r.conv.padding_columns = bad; }) == KOFN_CONV_SHAPE);
    }
    CHECK(opened([](Request& r) { r.conv.rows = 7, r.conv.padding_rows = 0; }) == KOFN_CONV_SHAPE); // no output left
    // 2³¹ elements of input: as many images, and as large ones, as just do not fit. The same for the output, which is
    // smaller than the input here.
    CHECK(opened([](Request& r) { r.conv.height = r.conv.width = 1 << 10, r.batch = 512; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) { r.conv.height = r.conv.width = 1 << 20; }) == KOFN_CONV_SHAPE);
    CHECK(opened([](Request& r) {
        r.conv.outputs = r.conv.share = 1 << 20, r.batch = 82; // 5 · 5 · 2²⁰ · 82 = 2³¹ + 2097152
    }) == KOFN_CONV_SHAPE);
    for (const int32_t bad : {0, -1, 5}) {
        CHECK(opened([=](Request& r) { r.conv.kept = bad; }) == KOFN_CONV_KEPT);
        CHECK(opened([=](Request& r) { r.conv.share = bad; }) == KOFN_CONV_KEPT);
    }
    for (const int32_t bad : {-1, 4, INT32_MAX, INT32_MIN}) {
        CHECK(opened([=](Request& r) { r.indices[3] = bad; }) == KOFN_CONV_INDEX);
        CHECK(opened([=](Request& r) { r.indices[0] = bad; }) == KOFN_CONV_INDEX);
    }
    CHECK(opened([](Request& r) { r.indices[1] = 0; }) == KOFN_CONV_INDEX); // twice
    CHECK(opened([](Request& r) { r.conv.indices = nullptr; }) == KOFN_CONV_NULL);
    CHECK(opened([](Request& r) { r.conv.weights = nullptr; }) == KOFN_CONV_NULL);
}

void pointers() {
    Request request;
    kofn_cuda_conv_plan* plan = nullptr;
    CHECK(kofn_cuda_conv_open(nullptr, 1, KOFN_FP32, &plan) == KOFN_CONV_NULL && plan == nullptr);
    CHECK(kofn_cuda_conv_open(&request.conv, 1, KOFN_FP32, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_conv_open(&request.conv, 1, KOFN_FP32, &plan) == KOFN_CONV_OK);
    float memory[4 * 5 * 5] = {};
    CHECK(kofn_cuda_conv_run(nullptr, memory, memory, nullptr, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_conv_run(plan, nullptr, memory, nullptr, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_conv_run(plan, memory, nullptr, nullptr, nullptr, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_conv_set_weights(nullptr, memory, nullptr) == KOFN_CONV_NULL);
    CHECK(kofn_cuda_conv_set_weights(plan, nullptr, nullptr) == KOFN_CONV_NULL);
#if defined(KOFN_EMULATED)
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(kofn_cuda_conv_run(plan, memory, memory, nullptr, nullptr, nullptr) == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorLaunchFailure;
    CHECK(request.open() == KOFN_CONV_LAUNCH);
    emulation::next_error() = cudaErrorMemoryAllocation;
    CHECK(request.open() == KOFN_CONV_MEMORY);
    CHECK(request.open() == KOFN_CONV_OK); // nothing of it is left
#endif
    kofn_cuda_conv_close(plan);
    kofn_cuda_conv_close(nullptr);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
    descriptions();
    pointers();
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 1200 : 60;
    for (int i = 0; i < cases; ++i) {
        test_case(random_case(random), i % 3);
    }
    CHECK(methods[0] >= cases / 4 && methods[1] >= cases / 12);
    return kofn::checks_summary("sparse_conv_cuda_test");
}
