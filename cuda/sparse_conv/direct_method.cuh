#pragma once

#include "direct_plan.cuh"

/** The direct method as a plan on the device. */
namespace kofn::conv {

/** The weights of each entry, then its place. One record more is fetched ahead. */
inline std::vector<float> direct_records(const kofn_conv& conv, const DirectPlan& plan, const DirectLists& lists) {
    const int32_t taps = conv.rows * conv.columns, record = plan.kernel.record;
    std::vector<float> records((lists.places.size() + 1) * static_cast<size_t>(record));
    float* to = records.data();
    for (size_t i = 0; i < lists.places.size(); ++i, to += record) {
        const int64_t output = static_cast<int64_t>(i) / conv.kept, kept = static_cast<int64_t>(i) % conv.kept;
        const int64_t entry = output / conv.share * conv.kept + kept;
        const float* from = conv.weights + (entry * conv.share + output % conv.share) * taps;
        std::transform(from, from + taps, to,
                       [&plan](float w) { return plan.bf16 ? from_bfloat16(to_bfloat16(w)) : w; });
        to[taps] = bits_float(static_cast<uint32_t>(lists.places[i]));
    }
    return records;
}

/** The parameter of the kernel that changes the weights of records. */
struct DirectRefill {
    int32_t kept, share, taps, record;
    int64_t words;        /* weights of all records */
    const float* weights; /* [O/b][k][b][taps] */
    float* records;
};

constexpr int32_t REFILL_THREADS = 256;

/** As direct_records, on the device; places stay. */
template <bool BF16>
__global__ void __launch_bounds__(REFILL_THREADS) refill_records(KOFN_GRID_CONSTANT(DirectRefill) p) {
    const int64_t threads = int64_t{REFILL_THREADS} * gridDim.x;
    for (int64_t i = int64_t{REFILL_THREADS} * blockIdx.x + threadIdx.x; i < p.words; i += threads) {
        const int64_t entry = i / p.taps, output = entry / p.kept, kept = entry % p.kept;
        const int64_t kernel = (output / p.share * p.kept + kept) * p.share + output % p.share;
        const float word = p.weights[kernel * p.taps + i % p.taps];
        p.records[entry * p.record + i % p.taps] = BF16 ? from_bfloat16(to_bfloat16(word)) : word;
    }
}

class DirectMethod final : public kofn_cuda_conv_plan {
public:
    DirectMethod(const kofn_conv& of, const DirectPlan& plan, const DirectLists& lists, int32_t batch_,
                 int32_t precision_)
        : kofn_cuda_conv_plan(of, batch_, precision_),
          plan_(plan),
          arrays_(lists),
          records_(direct_records(of, plan, lists)) {
        arrays_.give(plan_.kernel);
        plan_.kernel.records = records_.data();
        description = plan_.describe() + (plan_.bf16 ? ", bf16" : ", fp32");
        bytes = arrays_.bytes() + records_.bytes();
    }

    cudaError_t run(const void* x, void* y, const void* residual, void*, cudaStream_t stream) const override {
        Direct kernel = plan_.kernel;
        kernel.x = x;
        kernel.y = y;
        kernel.residual = residual;
        return plan_.launch(kernel, stream);
    }

    bool refill(const float* weights, cudaStream_t stream, cudaError_t& error) override {
        const int32_t taps = conv.rows * conv.columns;
        const int64_t words = int64_t{conv.outputs} * conv.kept * taps;
        const DirectRefill p{conv.kept, conv.share, taps, plan_.kernel.record, words, weights, records_.data()};
        const int64_t blocks = std::min<int64_t>((words + REFILL_THREADS - 1) / REFILL_THREADS, 4096);
        const auto function = plan_.bf16 ? &refill_records<true> : &refill_records<false>;
        KOFN_LAUNCH(function, static_cast<unsigned>(blocks), REFILL_THREADS, 0, stream, p);
        error = cudaGetLastError();
        return true;
    }

private:
    DirectPlan plan_;
    DirectArrays arrays_;
    DeviceArray<float> records_;
};

/** A plan for any convolution; in fp32 where tf32 is asked for. */
inline std::unique_ptr<kofn_cuda_conv_plan> make_direct_plan(const kofn_conv& conv, int32_t batch, int32_t precision,
                                                             const DeviceLimits& limits) {
    const Lists lists = lists_of(conv);
    const DirectPlan plan(direct_shape(conv, batch), lists, conv.share, precision == KOFN_BF16, limits);
    DirectLists cut(plan.kernel, lists);
    cut.set_planes(plan.kernel.out_height * plan.kernel.out_width);
    for (size_t o = 0; o < cut.outputs.size() && conv.bias != nullptr; ++o) {
        cut.outputs[o].bias = conv.bias[o];
    }
    return std::make_unique<DirectMethod>(conv, plan, cut, batch, precision);
}

}  // namespace kofn::conv
