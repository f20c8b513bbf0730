#pragma once

/**
 * CUDA C++ on the host, so that kernels are tested where there is no GPU. One block runs at a time; each of its threads
 * is a fiber (fiber.h) that runs until it must wait for others, so that barriers and warp collectives keep their meaning
 * (block.h, warp.h). What a GPU leaves undefined is reported and ends the program: a barrier that not all threads
 * reach, a collective without all that its mask names, different collectives that meet, a lane read that takes no part.
 * Shared memory holds a pattern at the start of every block. The order in which threads run changes from block to block:
 * upwards, downwards, each as far as it can, in stretches at random; a missing barrier shows as a wrong result in some.
 * What does not show is a missing fence: threads change only where they wait, and see all that was written before.
 *
 * Only what the kernels here use is emulated. Atomics on floats are left out on purpose: no kernel may use them.
 */
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#include "block.h"
#include "runtime.h"
#include "warp.h"

// Built-in variables of the thread that runs. Grids and blocks have one dimension in all kernels here.
#define threadIdx (::kofn::emulation::thread_index())
#define blockIdx (::kofn::emulation::block_index())
#define blockDim (::kofn::emulation::block_size())
#define gridDim (::kofn::emulation::grid_size())

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(4) uchar4 {
    unsigned char x, y, z, w;
};
struct alignas(8) ushort4 {
    unsigned short x, y, z, w;
};

inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) {
    return {x, y, z, w};
}
inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) {
    return {x, y, z, w};
}

inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline int __clz(int x) {
    return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline unsigned __umulhi(unsigned x, unsigned y) {
    return static_cast<unsigned>((static_cast<unsigned long long>(x) * y) >> 32);
}

// Fibers change only where they wait, so that plain reads and writes are atomic.
template <class Integer>
inline Integer atomicAdd(Integer* address, Integer value) {
    static_assert(std::is_integral<Integer>::value, "sums of floats would depend on the order of threads");
    Integer before = *address;
    *address = before + value;
    return before;
}
template <class Integer>
inline Integer atomicOr(Integer* address, Integer value) {
    Integer before = *address;
    *address = before | value;
    return before;
}
