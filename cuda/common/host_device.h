#pragma once

/** Marks functions that are compiled for the host and, by nvcc, for the device: one source, one arithmetic. */
#if defined(__CUDACC__)
#define KOFN_HD __host__ __device__ __forceinline__
#else
#define KOFN_HD inline
#endif
