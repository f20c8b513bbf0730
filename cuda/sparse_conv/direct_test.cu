#include <map>

#include "direct_method.cuh"
#include "method_test.cuh"

/**
 * The direct method on shapes drawn at random, fp32 and bf16. The host's own reference needs nothing of the library.
 * KOFN_EXTENDED=1 draws many more.
 */
namespace kofn::conv {
namespace {

/** Devices of different size, whatever runs the test: their tiles differ, and so does how far the ring wraps around. */
DeviceLimits some_device(Random& random) {
    const int32_t multiprocessors[] = {1, 2, 16, 132}, kilobytes[] = {48, 99, 99, 163, 227};
    const int32_t most = DeviceLimits::ask().shared_bytes;
    return {pick(random, multiprocessors), std::min(most, pick(random, kilobytes) * 1024)};
}

/** Counts which patches were put to the test. */
std::map<std::string, int> patches;

void test_case(const Case& c, int32_t precision, Random& random) {
    const auto make = [&](const kofn_conv& conv, const DeviceLimits& limits) {
        auto plan = make_direct_plan(conv, c.batch, precision, limits);
        CHECK(plan->workspace_bytes == 0);
        const Spec& s = c.spec;
        const std::string words = plan->description, tile = words.substr(0, words.find(','));
        const std::string kernel = s.rows * s.columns == 1                           ? "1x1 "
            : s.rows == 3 && s.columns == 3 && s.stride_rows == s.stride_columns && s.stride_rows < 3
            ? "3x3 stride " + std::to_string(s.stride_rows) + " "
            : "taps ";
        ++patches[kernel + tile.substr(tile.rfind('x', tile.rfind('x') - 1) + 1)];
        CHECK(words.find(precision == KOFN_BF16 ? ", bf16" : ", fp32") != std::string::npos);
        return plan;
    };
    test_method(c, precision, 0, make, some_device(random), some_device(random));
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
        s.inputs = pick(random, 1, 150);
        s.kept = pick(random, 1, std::min(s.inputs, 12));
        if (multiplications(s, c.batch) < 3e6) {
            return c;
        }
    }
}

/** Ends of shapes: single columns and rows, one kept and all, one output, a batch of which no tile is full. */
void corners(Random& random) {
    for (const int32_t taps : {1, 3, 5, 7}) {
        for (const int32_t width : {1, 2, 8, 9}) {
            for (const int32_t stride : {1, 2}) {
                for (const int32_t kept : {1, 11}) {
                    Case c{};
                    Spec& s = c.spec;
                    s.inputs = 11;
                    s.outputs = kept == 1 ? 1 : 5;
                    s.kept = kept;
                    s.height = 7;
                    s.width = width;
                    s.rows = s.columns = taps;
                    s.stride_rows = s.stride_columns = stride;
                    s.padding_rows = s.padding_columns = taps / 2;
                    s.bias = true;
                    c.batch = width == 8 ? 33 : 3;
                    c.residual = Case::in_place;
                    c.seed = random();
                    test_case(c, KOFN_FP32, random);
                }
            }
        }
    }
}

/** Lists at one pace: none waits for what has gone, none is ahead of what has come, and a warp takes no detour. */
void paces(Random& random) {
    for (int round = 0; round < 200; ++round) {
        const int32_t channels = pick(random, 1, 60), kept = pick(random, 1, channels), places = pick(random, 2, 4);
        const int32_t chunk = pick(random, 1, 9), chunks = (channels + chunk - 1) / chunk;
        std::vector<int32_t> all(static_cast<size_t>(channels));
        std::iota(all.begin(), all.end(), 0);
        const bool ragged = round % 2 == 1; // as transposed lists are
        Lists lists(static_cast<size_t>(pick(random, 1, 8)));
        size_t most = 0;
        for (auto& list : lists) {
            std::sample(all.begin(), all.end(), std::back_inserter(list), ragged ? pick(random, 0, kept) : kept, random);
            most = std::max(most, list.size());
        }
        const std::vector<int32_t> ends = direct_pace(lists, chunks, chunk, places);
        CHECK(ends.size() == lists.size() * static_cast<size_t>(chunks));
        int32_t steps = 0, steps_in_lock = 0;
        for (int32_t step = 0; step < chunks; ++step) {
            int32_t longest = 0, longest_of_chunk = 0;
            for (size_t l = 0; l < lists.size(); ++l) {
                const int32_t end = ends[static_cast<size_t>(step) * lists.size() + l];
                const int32_t begin = step == 0 ? 0 : ends[static_cast<size_t>(step - 1) * lists.size() + l];
                CHECK(begin <= end && (step + 1 < chunks || static_cast<size_t>(end) == lists[l].size()));
                for (int32_t i = begin; i < end; ++i) {
                    const int32_t of = lists[l][static_cast<size_t>(i)] / chunk;
                    CHECK(of <= step && of > step + 1 - places);
                }
                longest = std::max(longest, end - begin);
                longest_of_chunk = std::max(longest_of_chunk, static_cast<int32_t>(std::count_if(
                    lists[l].begin(), lists[l].end(), [&](int32_t place) { return place / chunk == step; })));
            }
            steps += longest;
            steps_in_lock += longest_of_chunk;
        }
        CHECK(steps >= static_cast<int32_t>(most) && (places == 2 ? steps == steps_in_lock : steps <= steps_in_lock));
    }
}

/** What no device can run: less shared memory than the smallest tile. */
void refusal() {
    Spec s;
    s.rows = s.columns = 7;
    s.height = s.width = 7;
    const Convolution convolution(s, 1, true);
    int32_t status = KOFN_CONV_OK;
    try {
        make_direct_plan(convolution.view(), 1, KOFN_FP32, {1, 1024});
    } catch (const Refusal& refused) {
        status = refused.status;
    }
    CHECK(status == KOFN_CONV_MEMORY);
}

}  // namespace
}  // namespace kofn::conv

int main(int count, char** arguments) {
    using namespace kofn::conv;
#if defined(KOFN_EMULATED)
    kofn::emulation::device().shared_bytes = 227 * 1024;
#endif
    kofn::Random random(count > 1 ? static_cast<uint64_t>(std::atoll(arguments[1])) : 1);
    paces(random);
    refusal();
    corners(random);
    const int cases = kofn::extended() ? 2500 : 300;
    for (int i = 0; i < cases; ++i) {
        test_case(i % 5 == 0 ? plane_case(random) : random_case(random), i % 2 == 0 ? KOFN_FP32 : KOFN_BF16, random);
    }
    for (const char* patch : {"1x1 4x4", "3x3 stride 1 7x8", "3x3 stride 1 4x8", "3x3 stride 1 4x4", "3x3 stride 2 4x8",
                              "3x3 stride 2 4x4", "taps 4x2"}) {
        if (patches[patch] < 5) {
            std::fprintf(stderr, "only %d plans with patches %s\n", patches[patch], patch);
            CHECK(!"every patch is tested");
        }
    }
    return kofn::checks_summary("direct_test");
}
