#pragma once

#include <cstdint>

/**
 * Copies from global to shared memory that run while the thread goes on (`cp.async`, sm_80 and later). BYTES is 4, 8 or
 * 16, and both addresses are multiples of it. Where `there` is false zeros are written and nothing is read. A thread's
 * copies since its last commit are a group; it waits for its own groups only, so a barrier must follow.
 */
#if defined(KOFN_EMULATED)

#include "../emulation/async_copy.h"

#else

namespace kofn::cuda {

template <int BYTES>
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool there) {
    const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    const int size = there ? BYTES : 0;
    if constexpr (BYTES == 16) { // past the L1 cache, which only these can do
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(global), "r"(size) : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(to), "l"(global), "n"(BYTES), "r"(size)
                     : "memory");
    }
}

__device__ __forceinline__ void commit_copies() {
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}

/** Returns when at most so many of the newest groups are under way. */
template <int GROUPS>
__device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(GROUPS) : "memory");
}

}  // namespace kofn::cuda

#endif
