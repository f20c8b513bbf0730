#pragma once

/**
 * CUDA, or with KOFN_EMULATED its emulation on the host: what a .cu file includes so that it compiles as either. The
 * macros below are the few things that are written differently.
 *
 *   KOFN_LAUNCH(kernel, blocks, threads, dynamic_shared_bytes, stream, arguments...)
 *   KOFN_SHARED(type, name)            a variable of the block; its type may be an array: KOFN_SHARED(int[32], counts)
 *   KOFN_DYNAMIC_SHARED(type, name)    `type* name`, the bytes that the launch asked for
 *   KOFN_GRID_CONSTANT(type) name      a kernel parameter that all threads read where it lies, without a copy
 */
#if defined(KOFN_EMULATED)

#include "cuda_emulation.h"

#define KOFN_LAUNCH(kernel, blocks, threads, dynamic_shared_bytes, stream, ...)             \
    do {                                                                                    \
        static_cast<void>(stream);                                                          \
        ::kofn::emulation::launch(#kernel, reinterpret_cast<const void*>(kernel), (blocks), \
                                  (threads), (dynamic_shared_bytes),                        \
                                  [&]() { kernel(__VA_ARGS__); });                          \
    } while (false)
#define KOFN_SHARED(type, name)                                             \
    using name##_type = type;                                               \
    static ::kofn::emulation::SharedVariable name##_variable;               \
    name##_type& name = name##_variable.template in_this_block<name##_type>()
#define KOFN_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::kofn::emulation::dynamic_shared())
#define KOFN_GRID_CONSTANT(type) const type&

#else

#include <cuda_runtime.h>

#define KOFN_LAUNCH(kernel, blocks, threads, dynamic_shared_bytes, stream, ...) \
    kernel<<<(blocks), (threads), (dynamic_shared_bytes), (stream)>>>(__VA_ARGS__)
#define KOFN_SHARED(type, name) \
    using name##_type = type;   \
    __shared__ name##_type name
#define KOFN_DYNAMIC_SHARED(type, name)                                    \
    extern __shared__ __align__(16) unsigned char kofn_dynamic_shared[]; \
    type* name = reinterpret_cast<type*>(kofn_dynamic_shared)
#define KOFN_GRID_CONSTANT(type) const __grid_constant__ type

#endif
