#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "block.h"

/**
 * The few calls of the CUDA runtime that the kernels' host code makes, on the host: streams do at once what they are
 * asked for, device memory is host memory and holds a pattern when it is new.
 */
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
constexpr unsigned cudaHostAllocMapped = 2;
constexpr unsigned cudaEventDisableTiming = 2;

using cudaStream_t = struct kofn_emulated_stream*;
using cudaEvent_t = struct kofn_emulated_event*;

namespace kofn::emulation {

/** What the device says of itself; tests may let it be another. */
struct Device {
    int multiprocessors = 2;        // few, so that blocks have several groups each
    int shared_bytes = 99 * 1024;   // of a block that asks: what sm_86, sm_89 and sm_120 have
};

inline Device& device() {
    static Device the_device;
    return the_device;
}

/** The error that the next call with a result returns, for tests of what callers make of it. */
inline cudaError_t& next_error() {
    static cudaError_t error = cudaSuccess;
    return error;
}

inline cudaError_t result() {
    cudaError_t error = next_error();
    next_error() = cudaSuccess;
    return error;
}

inline cudaError_t allocate(void** pointer, std::size_t size) {
    cudaError_t error = result();
    *pointer = error == cudaSuccess ? std::malloc(size) : nullptr;
    if (*pointer == nullptr) {
        return cudaErrorMemoryAllocation;
    }
    std::memset(*pointer, 0xA5, size);
    return cudaSuccess;
}

}  // namespace kofn::emulation

template <class T>
inline cudaError_t cudaMalloc(T** pointer, std::size_t size) {
    return kofn::emulation::allocate(reinterpret_cast<void**>(pointer), size);
}
template <class T>
inline cudaError_t cudaHostAlloc(T** pointer, std::size_t size, unsigned) {
    return kofn::emulation::allocate(reinterpret_cast<void**>(pointer), size);
}
template <class T>
inline cudaError_t cudaHostGetDevicePointer(T** device, void* host, unsigned) {
    *device = static_cast<T*>(host);
    return kofn::emulation::result();
}
inline cudaError_t cudaFree(void* pointer) {
    std::free(pointer);
    return kofn::emulation::result();
}
inline cudaError_t cudaFreeHost(void* pointer) {
    std::free(pointer);
    return kofn::emulation::result();
}
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t size, cudaMemcpyKind) {
    std::memcpy(to, from, size);
    return kofn::emulation::result();
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size, cudaMemcpyKind kind, cudaStream_t) {
    return cudaMemcpy(to, from, size, kind);
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t size, cudaStream_t) {
    std::memset(to, value, size);
    return kofn::emulation::result();
}
template <class Function>
inline cudaError_t cudaFuncSetAttribute(Function* function, cudaFuncAttribute, int value) {
    if (value > kofn::emulation::device().shared_bytes) {
        return cudaErrorInvalidValue;
    }
    kofn::emulation::shared_asked(reinterpret_cast<const void*>(function)) = static_cast<std::size_t>(value);
    return kofn::emulation::result();
}
inline cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return kofn::emulation::result();
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    const kofn::emulation::Device& device = kofn::emulation::device();
    *value = attribute == cudaDevAttrMultiProcessorCount ? device.multiprocessors : device.shared_bytes;
    return kofn::emulation::result();
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return kofn::emulation::result();
}
inline cudaError_t cudaDeviceSynchronize() {
    return kofn::emulation::result();
}
inline cudaError_t cudaGetLastError() {
    return kofn::emulation::result();
}
inline const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess                 ? "no error"
           : error == cudaErrorInvalidValue     ? "invalid argument"
           : error == cudaErrorMemoryAllocation ? "out of memory"
                                                : "unspecified launch failure";
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = nullptr;
    return kofn::emulation::result();
}
inline cudaError_t cudaEventDestroy(cudaEvent_t) {
    return kofn::emulation::result();
}
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
    return kofn::emulation::result();
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
    return kofn::emulation::result();
}
