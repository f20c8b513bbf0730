#include <random>
#include <vector>

#include "../emulation/cuda_or_emulation.h"
#include "arithmetic.h"
#include "check.h"
#include "mma.cuh"

/**
 * `mma.sync` against the plain product: whole numbers, whose sums are exact in any order. By emulation this tests the
 * layouts of mma.cuh, written down here once more as the PTX ISA has them; on a GPU, against the hardware.
 */
using namespace kofn;

namespace {

struct Operands {
    uint32_t a[32][4], b[32][2];
    float d[32][4];
};

template <bool BF16>
__global__ void multiply(Operands* all) {
    Operands& mine = all[blockIdx.x];
    uint32_t a[4], b[2];
    float d[4];
    for (int i = 0; i < 4; ++i) {
        a[i] = mine.a[threadIdx.x][i];
        d[i] = mine.d[threadIdx.x][i];
    }
    b[0] = mine.b[threadIdx.x][0];
    b[1] = mine.b[threadIdx.x][1];
    cuda::mma<BF16>(d, a, b);
    for (int i = 0; i < 4; ++i) {
        mine.d[threadIdx.x][i] = d[i];
    }
}

using Random = std::mt19937;

float whole(Random& random) {
    return static_cast<float>(random() % 17) - 8.0f;
}

/** Puts A (row, k) or B (column, k) in its register. A: registers of rows g, g + 8, then of the later half of k. */
template <bool BF16>
void put(uint32_t* registers, uint32_t per_lane, uint32_t line, uint32_t k, float value) {
    const uint32_t word = BF16 ? k / 2 : k;
    const uint32_t lane = line % 8 * 4 + word % 4;
    const uint32_t reg = per_lane == 4 ? line / 8 + word / 4 * 2 : word / 4;
    registers[lane * per_lane + reg] |= BF16 ? static_cast<uint32_t>(to_bfloat16(value)) << k % 2 * 16 : float_bits(value);
}

template <bool BF16>
void products_are_exact(Random& random) {
    constexpr uint32_t K = BF16 ? 16 : 8;
    const size_t count = extended() ? 10000 : 300;
    std::vector<Operands> products(count, Operands{});
    std::vector<float> expected;
    for (Operands& operands : products) {
        float a[16][K], b[8][K];
        for (uint32_t i = 0; i < 24 * K; ++i) {
            const uint32_t line = i / K, k = i % K;
            const float value = whole(random);
            (line < 16 ? a[line] : b[line - 16])[k] = value;
            line < 16 ? put<BF16>(operands.a[0], 4, line, k, value) : put<BF16>(operands.b[0], 2, line - 16, k, value);
        }
        for (uint32_t i = 0; i < 32 * 4; ++i) {
            const uint32_t lane = i / 4, row = lane / 4 + i % 4 / 2 * 8, column = lane % 4 * 2 + i % 2;
            float sum = operands.d[lane][i % 4] = whole(random);
            for (uint32_t k = 0; k < K; ++k) {
                sum += a[row][k] * b[column][k];
            }
            expected.push_back(sum);
        }
    }
    const size_t bytes = count * sizeof(Operands);
    Operands* on_device = nullptr;
    CHECK(cudaMalloc(&on_device, bytes) == cudaSuccess);
    CHECK(cudaMemcpy(on_device, products.data(), bytes, cudaMemcpyHostToDevice) == cudaSuccess);
    KOFN_LAUNCH((multiply<BF16>), static_cast<unsigned>(count), 32, 0, nullptr, on_device);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaMemcpy(products.data(), on_device, bytes, cudaMemcpyDeviceToHost) == cudaSuccess);
    CHECK(cudaFree(on_device) == cudaSuccess);
    for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(products[i / 128].d[i % 128 / 4][i % 4] == expected[i]);
    }
}

}  // namespace

int main() {
    Random random(1);
    products_are_exact<true>(random);
    products_are_exact<false>(random);
    return checks_summary("mma_test");
}
