#pragma once

/**
 * Marks functions that are compiled for the host and, by nvcc, for the device: one source, one arithmetic.
 *
 * On the host they are always inlined: sources that are compiled for several instruction sets share them, and a copy
 * out of line would be merged by the linker into one, for whichever processor that was meant.
 */
#if defined(__CUDACC__)
#define KOFN_HD __host__ __device__ __forceinline__
#else
#define KOFN_HD __attribute__((always_inline)) inline
#endif
