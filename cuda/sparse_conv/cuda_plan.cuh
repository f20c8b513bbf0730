#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../emulation/cuda_or_emulation.h"
#include "checks.h"
#include "sparse_conv_cuda.h"

/** The plan, of which each method has its own kind, and what they share. */
namespace kofn::conv {

/** Thrown while a plan is made, and turned into the status that the call returns. */
struct Refusal {
    int32_t status;
};

/** A CUDA error becomes a refusal. It is taken from the runtime too, which would tell the next launch of it. */
inline void require(cudaError_t error) {
    if (error != cudaSuccess) {
        cudaGetLastError();
        throw Refusal{error == cudaErrorMemoryAllocation ? KOFN_CONV_MEMORY : KOFN_CONV_LAUNCH};
    }
}

/** An array in the device's memory, filled when it is made. */
template <class T>
class DeviceArray {
public:
    DeviceArray() = default;
    explicit DeviceArray(const std::vector<T>& values) {
        const size_t bytes = values.size() * sizeof(T);
        bytes_ = static_cast<int64_t>(bytes);
        require(cudaMalloc(&data_, bytes == 0 ? 1 : bytes));
        if (const cudaError_t error = cudaMemcpy(data_, values.data(), bytes, cudaMemcpyHostToDevice);
            error != cudaSuccess) {
            cudaFree(data_);
            require(error);
        }
    }
    DeviceArray(DeviceArray&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    DeviceArray& operator=(DeviceArray&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~DeviceArray() {
        if (data_ != nullptr) {
            cudaFree(data_);
        }
    }

    const T* data() const { return data_; }
    T* data() { return data_; }
    int64_t bytes() const { return bytes_; }

private:
    T* data_ = nullptr;
    int64_t bytes_ = 0;
};

/** What a plan asks of its device. */
struct DeviceLimits {
    int multiprocessors = 0;
    int shared_bytes = 0; /* of a block whose kernel asks for it */

    /** Those of the current device. */
    static DeviceLimits ask() {
        int device = 0;
        DeviceLimits limits;
        require(cudaGetDevice(&device));
        require(cudaDeviceGetAttribute(&limits.multiprocessors, cudaDevAttrMultiProcessorCount, device));
        require(cudaDeviceGetAttribute(&limits.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
        return limits;
    }
};

/** What all plans refuse. Tensors have less than 2³¹ elements: kernels count them in 32 bits. `values`: with weights. */
inline int32_t check_request(const kofn_conv& c, int32_t batch, int32_t precision, bool values = true) {
    if (const int32_t status = check_shape(c, values); status != KOFN_CONV_OK) {
        return status;
    }
    constexpr int64_t most = INT32_MAX;
    const int64_t in = int64_t{c.height} * c.width;
    const int64_t out = outputs_along(c.height, c.rows, c.stride_rows, c.padding_rows)
        * outputs_along(c.width, c.columns, c.stride_columns, c.padding_columns);
    const bool fits = in_range(batch, 1, 1 << 20) && in_range(precision, KOFN_FP32, KOFN_BF16)
        && c.inputs <= most / in / batch && c.outputs <= most / out / batch;
    return fits ? check_indices(c) : KOFN_CONV_SHAPE;
}

}  // namespace kofn::conv

/** A convolution made ready; nothing in it changes once it is made. */
struct kofn_cuda_conv_plan {
    kofn_conv conv; /* without the arrays */
    int32_t batch, precision, out_height, out_width;
    int64_t workspace_bytes = 0;
    int64_t bytes = 0; /* on the device */
    std::string description;

    kofn_cuda_conv_plan(const kofn_conv& of, int32_t batch_, int32_t precision_)
        : conv(of),
          batch(batch_),
          precision(precision_),
          out_height(static_cast<int32_t>(
              kofn::conv::outputs_along(of.height, of.rows, of.stride_rows, of.padding_rows))),
          out_width(static_cast<int32_t>(
              kofn::conv::outputs_along(of.width, of.columns, of.stride_columns, of.padding_columns))) {
        conv.indices = nullptr;
        conv.weights = conv.bias = nullptr;
    }
    virtual ~kofn_cuda_conv_plan() = default;

    int64_t inputs() const { return int64_t{batch} * conv.inputs * conv.height * conv.width; }
    int64_t outputs() const { return int64_t{batch} * conv.outputs * out_height * out_width; }
    bool bfloat16() const { return precision == KOFN_BF16; }

    /** Changes the weights, those given being on the device, if the method can. */
    virtual bool refill(const float*, cudaStream_t, cudaError_t&) { return false; }

    /** Launches the kernels. The pointers have been checked. */
    virtual cudaError_t run(const void* x, void* y, const void* residual, void* workspace,
                            cudaStream_t stream) const = 0;
};
