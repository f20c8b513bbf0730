#define KOFN_EMULATED

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "../common/async_copy.cuh"
#include "../common/check.h"
#include "../common/ldmatrix.cuh"
#include "../common/mma_sparse.cuh"
#include "cuda_or_emulation.h"

/** Each promise of the emulation in a few lines: what kernels may rely on, and what is reported. */
namespace {

__global__ void reverse_in_shared_memory(const int* in, int* out) {
    KOFN_SHARED(int[128], staged);
    staged[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
    __syncthreads();
    out[blockIdx.x * blockDim.x + threadIdx.x] = staged[blockDim.x - 1 - threadIdx.x];
}

void barriers_and_shared_memory() {
    std::vector<int> in(3 * 128), out(3 * 128);
    for (int i = 0; i < 3 * 128; ++i) {
        in[i] = i;
    }
    KOFN_LAUNCH(reverse_in_shared_memory, 3, 128, 0, nullptr, in.data(), out.data());
    for (int i = 0; i < 3 * 128; ++i) {
        CHECK(out[i] == i / 128 * 128 + 127 - i % 128);
    }
}

/** Every collective, with all lanes and within tiles of eight that do different things. */
__global__ void collectives(int* failures) {
    int lane = static_cast<int>(threadIdx.x % 32);
    int wrong = 0;
    wrong += __ballot_sync(0xFFFFFFFFu, lane % 3 == 0) != 0x49249249u;
    wrong += __any_sync(0xFFFFFFFFu, lane == 31) != 1;
    wrong += __any_sync(0xFFFFFFFFu, 0) != 0;
    wrong += __reduce_add_sync(0xFFFFFFFFu, static_cast<unsigned>(lane)) != 496u;
    wrong += __shfl_sync(0xFFFFFFFFu, lane * 1.5f, 7) != 10.5f;
    wrong += __shfl_up_sync(0xFFFFFFFFu, lane, 3) != (lane < 3 ? lane : lane - 3);
    wrong += __shfl_down_sync(0xFFFFFFFFu, 1ull << lane, 1) != (lane == 31 ? 1ull << 31 : 2ull << lane);
    unsigned tile = 0xFFu << (lane / 8 * 8);
    int rounds = 1 + lane / 8;
    for (int round = 0; round < rounds; ++round) {
        wrong += __shfl_xor_sync(tile, lane, 4, 8) != (lane ^ 4);
        wrong += __shfl_sync(tile, lane, 2, 8) != lane / 8 * 8 + 2;
        wrong += __shfl_up_sync(tile, lane, 1, 8) != (lane % 8 == 0 ? lane : lane - 1);
        wrong += __ballot_sync(tile, 1) != tile;
        __syncwarp(tile);
    }
    atomicAdd(failures, wrong);
}

void collectives_and_atomics() {
    int failures = 0;
    KOFN_LAUNCH(collectives, 2, 96, 0, nullptr, &failures);
    CHECK(failures == 0);
}

__global__ void read_unwritten(unsigned* seen) {
    KOFN_SHARED(unsigned[8], memory);
    KOFN_DYNAMIC_SHARED(unsigned, more);
    seen[2 * blockIdx.x] = memory[threadIdx.x];
    seen[2 * blockIdx.x + 1] = more[threadIdx.x];
    __syncthreads();
    memory[threadIdx.x] = more[threadIdx.x] = 1;
}

void shared_memory_is_forgotten() {
    unsigned seen[4];
    KOFN_LAUNCH(read_unwritten, 2, 8, 32, nullptr, seen);
    for (unsigned word : seen) {
        CHECK(word == 0xA5A5A5A5u);
    }
}

/** Lacks a barrier: a thread may read what another has not written yet. */
__global__ void read_too_early(int* out) {
    KOFN_SHARED(int[32], written);
    written[threadIdx.x] = 1;
    out[32 * blockIdx.x + threadIdx.x] = written[31 - threadIdx.x];
}

/** Lacks a barrier: a warp may write its next value before the other has read this one. */
__global__ void write_too_early(int* wrong) {
    KOFN_SHARED(int[2], value);
    const unsigned warp = threadIdx.x / 32;
    for (int round = 0; round < 2; ++round) {
        if (threadIdx.x % 32 == 0) {
            value[warp] = round;
        }
        __syncthreads();
        atomicAdd(wrong, value[1 - warp] == round ? 0 : 1);
        __syncwarp();
    }
}

void missing_barriers_show() {
    std::vector<int> early(4 * 32);
    KOFN_LAUNCH(read_too_early, 4, 32, 0, nullptr, early.data());
    for (int block = 0; block < 4; ++block) {
        CHECK(early[32 * block] != 1 || early[32 * block + 31] != 1);
    }
    int wrong = 0;
    KOFN_LAUNCH(write_too_early, 4, 64, 0, nullptr, &wrong);
    CHECK(wrong > 0);
}

/** What a child process that runs `body` says before it aborts; empty if it does not abort. */
template <class Body>
std::string words_of_abort(Body body) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char buffer[4096];
    for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;) {
        words.append(buffer, static_cast<std::size_t>(size));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : "";
}

bool contains(const std::string& words, const char* part) {
    return words.find(part) != std::string::npos;
}

__global__ void barrier_for_some() {
    if (threadIdx.x < 20) {
        __syncthreads();
    }
}

__global__ void barriers_apart() {
    if (threadIdx.x < 20) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

__global__ void lane_stays_away() {
    if (threadIdx.x != 3) {
        __syncwarp();
    }
}

__global__ void mask_without_caller() {
    __ballot_sync(0x0000FFFFu, 1);
}

__global__ void masks_differ() {
    __ballot_sync(threadIdx.x < 16 ? 0xFFFFFFFFu : 0xFFFFFF00u, 1);
}

__global__ void calls_differ() {
    if (threadIdx.x < 16) {
        __ballot_sync(0xFFFFFFFFu, 1);
    } else {
        __any_sync(0xFFFFFFFFu, 1);
    }
}

__global__ void barrier_against_collective() {
    if (threadIdx.x < 16) {
        __syncthreads();
    } else {
        __any_sync(0xFFFFFFFFu, 1);
    }
}

__global__ void reads_absent_lane() {
    __shfl_sync(0xFFFFFFFFu >> 16 << (threadIdx.x / 16 * 16), 1, threadIdx.x < 16 ? 16 : 20);
}

__global__ void too_much_shared_memory() {
    KOFN_SHARED(char[40000], one);
    KOFN_SHARED(char[10000], two);
    one[0] = two[0];
}

void faults_are_reported() {
    std::string words = words_of_abort([] { KOFN_LAUNCH(barrier_for_some, 1, 32, 0, nullptr); });
    CHECK(contains(words, "kernel barrier_for_some, block 0 of 1: 20 threads wait"));
    CHECK(contains(words, "at __syncthreads") && contains(words, "emulation_test.cpp:"));
    CHECK(contains(words, "ended: 20 21 22 23"));
    words = words_of_abort([] { KOFN_LAUNCH(barriers_apart, 1, 32, 0, nullptr); });
    CHECK(contains(words, "threads meet at different barriers"));
    words = words_of_abort([] { KOFN_LAUNCH(lane_stays_away, 1, 32, 0, nullptr); });
    CHECK(contains(words, "31 threads wait for others") && contains(words, "ended: 3\n"));
    words = words_of_abort([] { KOFN_LAUNCH(mask_without_caller, 1, 32, 0, nullptr); });
    CHECK(contains(words, "calls __ballot_sync whose mask 0000ffff leaves it out"));
    words = words_of_abort([] { KOFN_LAUNCH(masks_differ, 1, 32, 0, nullptr); });
    CHECK(contains(words, "at __ballot_sync, mask ffffffff") && contains(words, "at __ballot_sync, mask ffffff00"));
    words = words_of_abort([] { KOFN_LAUNCH(calls_differ, 1, 32, 0, nullptr); });
    CHECK(contains(words, "__any_sync meets another call") || contains(words, "__ballot_sync meets another call"));
    words = words_of_abort([] { KOFN_LAUNCH(barrier_against_collective, 1, 32, 0, nullptr); });
    CHECK(contains(words, "32 threads wait for others") && contains(words, "at __syncthreads") &&
          contains(words, "at __any_sync, mask ffffffff"));
    words = words_of_abort([] { KOFN_LAUNCH(reads_absent_lane, 1, 32, 0, nullptr); });
    CHECK(contains(words, "__shfl_sync reads lane 16, which takes no part"));
    words = words_of_abort([] { KOFN_LAUNCH(too_much_shared_memory, 1, 32, 0, nullptr); });
    CHECK(contains(words, "50000 bytes of shared memory"));
    words = words_of_abort([] { KOFN_LAUNCH(barrier_for_some, 0, 32, 0, nullptr); });
    CHECK(contains(words, "cannot be launched"));
}

__global__ void multiply_sparse(uint32_t number, uint32_t metadata) {
    const uint32_t a[4] = {number, 0, 0, 0}, b[4] = {};
    float d[4] = {};
    if (number == 0) {
        kofn::cuda::mma_sparse_bf16<0>(d, a, b, metadata);
    } else {
        kofn::cuda::mma_sparse_tf32<0>(d, a, b, metadata);
    }
}

void faults_of_sparse_products_are_reported() {
    const auto words = [](uint32_t number, uint32_t metadata) {
        return words_of_abort([=] { KOFN_LAUNCH(multiply_sparse, 1, 32, 0, nullptr, number, metadata); });
    };
    CHECK(words(0, 0x4E8D9C44u).empty());
    CHECK(contains(words(0, 0x44444144u), "metadata 1 of row 0, column 8 does not ascend"));
    CHECK(contains(words(0, 0x45444444u), "metadata 5 of row 8, column 8 does not ascend"));
    CHECK(words(0x3F800000u, 0x4E4E4E4Eu).empty());
    CHECK(contains(words(0x3F800000u, 0x4E4E4E8Eu), "metadata 8 of row 0, column 2 means nothing in tf32"));
    CHECK(contains(words(0x3F800001u, 0x4E4E4E4Eu), "numbers that are not rounded to tf32"));
}

/** Copies arrive when they are waited for, not before; without a source they are zeros. */
__global__ void copy_in_groups(const uint32_t* from, uint32_t* seen) {
    KOFN_SHARED(uint32_t[12], to);
    kofn::cuda::copy_async<16>(to, from, true);
    kofn::cuda::commit_copies();
    kofn::cuda::copy_async<8>(to + 4, from + 4, true);
    kofn::cuda::copy_async<16>(to + 8, from, false);
    kofn::cuda::commit_copies();
    seen[0] = to[3];
    kofn::cuda::wait_for_copies<1>();
    seen[1] = to[3];
    seen[2] = to[5];
    kofn::cuda::wait_for_copies<0>();
    seen[3] = to[5];
    seen[4] = to[11];
}

/** Lane l takes element (l/4, 2(l mod 4)) of four matrices, or of their transposes. */
__global__ void load_matrices(uint32_t* as_they_are, uint32_t* transposed) {
    KOFN_SHARED(uint16_t[4][8][8], matrices);
    for (unsigned i = 0; i < 8; ++i) {
        matrices[threadIdx.x / 8][threadIdx.x % 8][i] = static_cast<uint16_t>(threadIdx.x * 8 + i);
    }
    __syncwarp();
    const void* row = matrices[threadIdx.x / 8][threadIdx.x % 8];
    uint32_t both[2][4];
    kofn::cuda::load_matrices<false>(both[0], row);
    kofn::cuda::load_matrices<true>(both[1], row);
    for (unsigned i = 0; i < 4; ++i) {
        as_they_are[threadIdx.x * 4 + i] = both[0][i];
        transposed[threadIdx.x * 4 + i] = both[1][i];
    }
}

void copies_and_matrices() {
    alignas(16) const uint32_t from[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t seen[5];
    KOFN_LAUNCH(copy_in_groups, 1, 1, 0, nullptr, from, seen);
    CHECK(seen[0] == 0xA5A5A5A5u && seen[1] == 4 && seen[2] == 0xA5A5A5A5u && seen[3] == 6 && seen[4] == 0);

    uint32_t as_they_are[32 * 4], transposed[32 * 4];
    KOFN_LAUNCH(load_matrices, 1, 32, 0, nullptr, as_they_are, transposed);
    for (uint32_t lane = 0; lane < 32; ++lane) {
        for (uint32_t i = 0; i < 4; ++i) {
            const uint32_t first = i * 64, row = lane / 4, column = lane % 4 * 2;
            const uint32_t along = first + row * 8 + column, down = first + column * 8 + row;
            CHECK(as_they_are[lane * 4 + i] == (along | (along + 1) << 16));
            CHECK(transposed[lane * 4 + i] == (down | (down + 8) << 16));
        }
    }
}

__global__ void copy_across(const uint32_t* from) {
    KOFN_SHARED(uint32_t[8], to);
    kofn::cuda::copy_async<16>(to, from, true);
}

__global__ void load_outside(const uint32_t* row) {
    uint32_t matrices[4];
    kofn::cuda::load_matrices<false>(matrices, row);
}

void faults_of_copies_and_matrices_are_reported() {
    alignas(16) const uint32_t memory[16] = {};
    std::string words = words_of_abort([&] { KOFN_LAUNCH(copy_across, 1, 1, 0, nullptr, memory + 1); });
    CHECK(contains(words, "cp.async of 16 bytes"));
    words = words_of_abort([&] { KOFN_LAUNCH(copy_across, 2, 1, 0, nullptr, memory); });
    CHECK(contains(words, "thread 0 of an earlier block ended while it copied"));
    words = words_of_abort([&] { KOFN_LAUNCH(load_outside, 1, 32, 0, nullptr, memory); });
    CHECK(contains(words, "ldmatrix: lane 0 reads at"));
}

__global__ void many_meetings(int times) {
    for (int i = 0; i < times; ++i) {
        __syncwarp();
    }
}

/** Prints what a change of threads costs; the bound only tells a function call from a system call. */
void changes_are_cheap() {
    auto start = std::chrono::steady_clock::now();
    KOFN_LAUNCH(many_meetings, 1, 32, 0, nullptr, 20000);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("a collective of 32 lanes: %.0f ns a lane\n", seconds / (20000.0 * 32.0) * 1e9);
}

}  // namespace

int main() {
    barriers_and_shared_memory();
    collectives_and_atomics();
    shared_memory_is_forgotten();
    missing_barriers_show();
    faults_are_reported();
    copies_and_matrices();
    faults_of_sparse_products_are_reported();
    faults_of_copies_and_matrices_are_reported();
    changes_are_cheap();
    return kofn::checks_summary("emulation_test");
}
