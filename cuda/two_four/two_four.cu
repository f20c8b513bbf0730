#include <memory>
#include <new>

#include "../emulation/cuda_or_emulation.h"
#include "multiply.cuh"
#include "plan.cuh"

/** The calls of two_four.h. */
using namespace kofn::two_four;

namespace {

template <class Precision, bool LINEAR, uint32_t ROWS, uint32_t COLUMNS>
void launch(const Problem& problem, uint32_t blocks, cudaStream_t stream) {
    using T = Tile<Precision, LINEAR, ROWS, COLUMNS>;
    KOFN_LAUNCH((two_four<T>), blocks, T::THREADS, T::SHARED_BYTES, stream, problem);
}

template <class Precision, bool LINEAR>
void launch(const Shape& shape, const Problem& problem, uint32_t blocks, cudaStream_t stream) {
    if (shape.rows == 2) {
        launch<Precision, LINEAR, 2, 4>(problem, blocks, stream);
    } else if (shape.columns == 4) {
        launch<Precision, LINEAR, 1, 4>(problem, blocks, stream);
    } else {
        launch<Precision, LINEAR, 1, 1>(problem, blocks, stream);
    }
}

/** How many bytes of activations are copied at a time: what follows each other must be a multiple of it. */
int32_t bytes_of_copy(uint64_t neighbours, const void* input, bool bf16) {
    const uint64_t both = neighbours * (bf16 ? 2 : 4) | reinterpret_cast<uintptr_t>(input);
    if (both % 16 == 0) {
        return 16;
    }
    return !bf16 ? 4 : both % 8 == 0 ? 8 : 2;
}

}  // namespace

int32_t kofn_cuda_two_four_open(const kofn_two_four* layer, int32_t precision, kofn_cuda_two_four_plan** plan) {
    if (layer == nullptr || plan == nullptr) {
        return KOFN_CONV_NULL;
    }
    if (const int32_t refused = check(*layer, precision); refused != KOFN_CONV_OK) {
        return refused;
    }
    try {
        auto made = std::make_unique<kofn_cuda_two_four_plan>();
        const int32_t status = fill(*layer, precision, *made);
        if (status == KOFN_CONV_OK) {
            *plan = made.release();
        }
        return status;
    } catch (const std::bad_alloc&) {
        return KOFN_CONV_MEMORY;
    }
}

void kofn_cuda_two_four_close(kofn_cuda_two_four_plan* plan) {
    delete plan; // cudaFree waits until no kernel uses the memory
}

int64_t kofn_cuda_two_four_bytes(const kofn_cuda_two_four_plan* plan) {
    return plan->bytes;
}

const char* kofn_cuda_two_four_describe(const kofn_cuda_two_four_plan* plan) {
    return plan->description;
}

int32_t kofn_cuda_two_four_run(const kofn_cuda_two_four_plan* plan, const void* input, void* output,
                               const void* residual, void* stream_pointer) {
    if (plan == nullptr || input == nullptr || output == nullptr) {
        return KOFN_CONV_NULL;
    }
    const cudaStream_t stream = static_cast<cudaStream_t>(stream_pointer);
    const bool bf16 = plan->precision == KOFN_BF16, linear = plan->problem.pixels == 1;
    Problem p = plan->problem;
    p.input = input;
    p.output = output;
    p.residual = residual;
    p.bytes_of_copy = bytes_of_copy(linear ? p.inputs : p.pixels, input, bf16);
    const uintptr_t places = reinterpret_cast<uintptr_t>(output) | reinterpret_cast<uintptr_t>(residual);
    p.stores_fours = (linear ? p.outputs : p.pixels) % 4 == 0 && places % (bf16 ? 8 : 16) == 0;
    if (bf16) {
        linear ? launch<Bf16, true>(plan->shape, p, plan->blocks, stream)
               : launch<Bf16, false>(plan->shape, p, plan->blocks, stream);
    } else {
        linear ? launch<Tf32, true>(plan->shape, p, plan->blocks, stream)
               : launch<Tf32, false>(plan->shape, p, plan->blocks, stream);
    }
    return cudaGetLastError() == cudaSuccess ? KOFN_CONV_OK : KOFN_CONV_LAUNCH;
}
