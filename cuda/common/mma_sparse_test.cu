#include <algorithm>
#include <random>
#include <vector>

#include "../emulation/cuda_or_emulation.h"
#include "arithmetic.h"
#include "check.h"
#include "mma_sparse.cuh"
#include "mma_sparse_layout.h"

/**
 * `mma.sp` against the plain product: whole numbers, whose sums are exact in any order, kept places at random. By
 * emulation this tests what mma_sparse_layout.h packs against how the emulation reads the ISA; on a GPU, both against
 * the hardware. Metadata of lanes that the selector does not name is noise.
 */
using namespace kofn;

namespace {

/** The registers of a warp for one product. */
struct Operands {
    uint32_t a[32][4], b[32][4], metadata[32];
    float d[32][4];
};

template <bool BF16, int SELECTOR>
__global__ void multiply(Operands* all) {
    Operands& mine = all[blockIdx.x];
    uint32_t a[4], b[4];
    float d[4];
    for (int i = 0; i < 4; ++i) {
        a[i] = mine.a[threadIdx.x][i];
        b[i] = mine.b[threadIdx.x][i];
        d[i] = mine.d[threadIdx.x][i];
    }
    if (BF16) {
        cuda::mma_sparse_bf16<SELECTOR>(d, a, b, mine.metadata[threadIdx.x]);
    } else {
        cuda::mma_sparse_tf32<SELECTOR>(d, a, b, mine.metadata[threadIdx.x]);
    }
    for (int i = 0; i < 4; ++i) {
        mine.d[threadIdx.x][i] = d[i];
    }
}

using Random = std::mt19937;

float whole(Random& random) {
    return static_cast<float>(random() % 17) - 8.0f;
}

/** Bits of a number as a register holds it: bf16 in one of its halves, tf32 whole. */
template <bool BF16>
uint32_t in_register(float value, LanePlace at) {
    return BF16 ? static_cast<uint32_t>(to_bfloat16(value)) << at.bit : float_bits(value);
}

/** A product drawn at random, in registers; d holds the number that the sum starts with. */
template <bool BF16>
void draw(Random& random, uint32_t selector, Operands& operands, std::vector<float>& expected) {
    constexpr uint32_t K = BF16 ? 32 : 16, CHUNK = BF16 ? 4 : 2;
    std::fill_n(&operands.a[0][0], 32 * 4, 0);
    std::fill_n(&operands.b[0][0], 32 * 4, 0);
    for (uint32_t lane = 0; lane < 32; ++lane) {
        operands.metadata[lane] = lane % 4 / 2 == selector ? 0 : static_cast<uint32_t>(random());
    }
    std::vector<float> a(16 * K), b(K * 8);
    for (uint32_t row = 0; row < 16; ++row) {
        for (uint32_t c = 0; c < K / CHUNK; ++c) {
            uint32_t places[2] = {static_cast<uint32_t>(random()) % CHUNK, 0};
            uint32_t bits = places[0] == 0 ? SPARSE_FIRST : SPARSE_SECOND;
            if (BF16) {
                places[1] = (places[0] + 1 + static_cast<uint32_t>(random()) % 3) % 4;
                std::sort(places, places + 2);
                bits = places[0] | places[1] << 2;
            }
            const LanePlace meta = sparse_metadata(row, c, selector);
            operands.metadata[meta.lane] |= bits << meta.bit;
            for (uint32_t i = 0; i < CHUNK / 2; ++i) {
                const uint32_t kept = c * (CHUNK / 2) + i;
                const LanePlace at = BF16 ? sparse_a_bf16(row, kept) : sparse_a_tf32(row, kept);
                const float value = whole(random);
                a[row * K + c * CHUNK + places[i]] = value;
                operands.a[at.lane][at.reg] |= in_register<BF16>(value, at);
            }
        }
    }
    for (uint32_t row = 0; row < K; ++row) {
        for (uint32_t column = 0; column < 8; ++column) {
            const LanePlace at = BF16 ? sparse_b_bf16(row, column) : sparse_b_tf32(row, column);
            b[row * 8 + column] = whole(random);
            operands.b[at.lane][at.reg] |= in_register<BF16>(b[row * 8 + column], at);
        }
    }
    for (uint32_t row = 0; row < 16; ++row) {
        for (uint32_t column = 0; column < 8; ++column) {
            float sum = whole(random);
            const LanePlace at = sparse_d(row, column);
            operands.d[at.lane][at.reg] = sum;
            for (uint32_t k = 0; k < K; ++k) {
                sum += a[row * K + k] * b[k * 8 + column];
            }
            expected.push_back(sum);
        }
    }
}

template <bool BF16, int SELECTOR>
void products_are_exact(Random& random) {
    const int count = extended() ? 10000 : 300;
    std::vector<Operands> products(static_cast<size_t>(count));
    std::vector<float> expected;
    for (Operands& operands : products) {
        draw<BF16>(random, SELECTOR, operands, expected);
    }
    const size_t bytes = products.size() * sizeof(Operands);
    Operands* on_device = nullptr;
    CHECK(cudaMalloc(&on_device, bytes) == cudaSuccess);
    CHECK(cudaMemcpy(on_device, products.data(), bytes, cudaMemcpyHostToDevice) == cudaSuccess);
    KOFN_LAUNCH((multiply<BF16, SELECTOR>), static_cast<unsigned>(count), 32, 0, nullptr, on_device);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaMemcpy(products.data(), on_device, bytes, cudaMemcpyDeviceToHost) == cudaSuccess);
    CHECK(cudaFree(on_device) == cudaSuccess);
    size_t next = 0;
    for (const Operands& operands : products) {
        for (uint32_t row = 0; row < 16; ++row) {
            for (uint32_t column = 0; column < 8; ++column, ++next) {
                const LanePlace at = sparse_d(row, column);
                CHECK(operands.d[at.lane][at.reg] == expected[next]);
            }
        }
    }
}

}  // namespace

int main() {
    Random random(1);
    products_are_exact<true, 0>(random);
    products_are_exact<true, 1>(random);
    products_are_exact<false, 0>(random);
    products_are_exact<false, 1>(random);
    return checks_summary("mma_sparse_test");
}
