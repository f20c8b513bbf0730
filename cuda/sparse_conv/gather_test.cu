#include "gather_method.cuh"
#include "method_test.cuh"

/**
 * The gathered method on shapes drawn at random, tf32 and bf16. The host's own reference needs nothing of the library.
 * KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

void test_case(const Case& c, int32_t precision) {
    const auto make = [&](const kofn_conv& conv, const DeviceLimits& limits) {
        CHECK(gather_takes(conv, precision) && !gather_takes(conv, KOFN_FP32));
        return make_gather_plan(conv, c.batch, precision, limits);
    };
    // In tf32 both factors are rounded on their way to the tensor cores.
    test_method(c, precision, precision == KOFN_TF32 ? 0x1p-10 : 0, make, {1, 0}, {200, 0});
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
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    const int cases = kofn::extended() ? 2500 : 60;
    for (int i = 0; i < cases; ++i) {
        test_case(shared_case(random), i % 2 == 0 ? KOFN_BF16 : KOFN_TF32);
    }
    return kofn::checks_summary("gather_test");
}
