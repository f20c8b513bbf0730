#include <climits>
#include <string>
#include <vector>

#include "../emulation/cuda_or_emulation.h"
#include "describe.cuh"

/**
 * The calls of gumbel_topk.h for CUDA: checks, one launch for up to LAYERS layers, no waiting. Layers whose candidates
 * have so many elements that a team would be long at it (whole filters, masks shared by many outputs) leave those to a
 * second launch, which splits them.
 */
using namespace kofn::cuda;

struct kofn_cuda_context {
    int multiprocessors = 0;
    // Written by kernels, read by the host without any copy: a word a layer, so that plain stores do. (Atomic minima
    // on memory of the host are not atomic over PCIe.)
    volatile uint32_t* not_finite = nullptr;
    uint32_t* not_finite_on_device = nullptr;
    int32_t layers = 0;
    // Winners of groups that do not fit shared memory. One call at a time uses it, whatever its stream.
    unsigned char* workspace = nullptr;
    size_t workspace_bytes = 0;
    cudaEvent_t workspace_free = nullptr;
};

namespace {

thread_local std::string last_error;

/** Keeps an error's words; whether there was none. */
bool succeeded(cudaError_t error, const char* what) {
    if (error == cudaSuccess) {
        return true;
    }
    last_error = std::string(what) + ": " + cudaGetErrorString(error);
    return false;
}

/** Makes the words that report layers at least so many. Waits for the GPU, which may be writing to the old ones. */
bool reserve_layers(kofn_cuda_context& context, int32_t layers) {
    if (layers <= context.layers) {
        return true;
    }
    uint32_t* words = nullptr;
    uint32_t* on_device = nullptr;
    const size_t bytes = static_cast<size_t>(layers) * sizeof(uint32_t);
    if (!succeeded(cudaDeviceSynchronize(), "waiting for the device")
        || !succeeded(cudaHostAlloc(&words, bytes, cudaHostAllocMapped), "allocating pinned memory")) {
        return false;
    }
    if (!succeeded(cudaHostGetDevicePointer(&on_device, words, 0), "mapping pinned memory")) {
        cudaFreeHost(words);
        return false;
    }
    for (int32_t i = 0; i < layers; ++i) {
        words[i] = i < context.layers ? context.not_finite[i] : 0;
    }
    cudaFreeHost(const_cast<uint32_t*>(context.not_finite));
    context.not_finite = words;
    context.not_finite_on_device = on_device;
    context.layers = layers;
    return true;
}

/** Makes the workspace at least so large; it never shrinks. */
bool reserve_workspace(kofn_cuda_context& context, size_t bytes) {
    if (bytes <= context.workspace_bytes) {
        return true;
    }
    unsigned char* memory = nullptr;
    if (!succeeded(cudaMalloc(&memory, bytes), "allocating a workspace")) {
        return false;
    }
    cudaFree(context.workspace);  // waits until no kernel uses it
    context.workspace = memory;
    context.workspace_bytes = bytes;
    return true;
}

/** −i if the description of layer i is refused, else 0. */
kofn_status check(const kofn_layer* layers, int32_t count, Call call) {
    for (int32_t i = 0; i < count; ++i) {
        if (!is_sound(layers[i], call)) {
            return -(i + 1);
        }
    }
    return 0;
}

/** Launches a kernel over layers, LAYERS at a time; `blocks_of(layer)` says how many blocks a layer needs. */
template <class Launch, class BlocksOf>
bool launch_over(const std::vector<Layer>& layers, Table& table, BlocksOf blocks_of, Launch launch) {
    for (size_t first = 0; first < layers.size(); first += LAYERS) {
        table.count = static_cast<uint32_t>(std::min<size_t>(LAYERS, layers.size() - first));
        uint32_t blocks = 0;
        for (uint32_t i = 0; i < table.count; ++i) {
            Layer& layer = table.layers[i];
            layer = layers[first + i];
            layer.first_block = blocks;
            layer.blocks = blocks_of(layer);
            blocks += layer.blocks;
        }
        launch(blocks);
        if (!succeeded(cudaGetLastError(), "launching a kernel")) {
            return false;
        }
    }
    return true;
}

/** Layers as the kernels see them, the most work first: what starts last should not take longest. */
std::vector<Layer> describe_all(const kofn_layer* layers, int32_t count, Call call) {
    std::vector<Layer> described;
    for (int32_t i = 0; i < count; ++i) {
        const uint32_t number = static_cast<uint32_t>(i);
        described.push_back(call == Call::sample ? describe(layers[i], number, call)
                                                 : describe_for_gradient(layers[i], number));
    }
    auto work = [](const Layer& layer) {
        return static_cast<uint64_t>(layer.candidates) * layer.inner.value * layer.outer / layer.lanes;
    };
    std::stable_sort(described.begin(), described.end(),
                     [work](const Layer& a, const Layer& b) { return work(a) > work(b); });
    return described;
}

/** Blocks with a group a team. */
uint32_t blocks_for_groups(const Layer& layer) {
    const uint32_t teams = BLOCK / layer.lanes;
    return (layer.groups + teams - 1) / teams;
}

uint32_t shared_bytes_to_sample(const Layer& layer) {
    switch (layer.size) {
        case Size::block_registers:
        case Size::block_recomputed:
            return HISTOGRAM * sizeof(uint32_t);
        case Size::block_shared:
            return (HISTOGRAM + (layer.candidates + 4 * BLOCK - 1) / (4 * BLOCK) * (4 * BLOCK)) * sizeof(uint32_t);
        default:
            return 0;
    }
}

/** The most shared memory that a layer of a table asks for. */
template <class BytesOf>
uint32_t most_shared_bytes(const Table& table, BytesOf bytes_of) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < table.count; ++i) {
        most = std::max(most, bytes_of(table.layers[i]));
    }
    return most;
}

/** One of the kernels of apply.cuh over layers. */
template <class Launch>
bool sweep_over(const std::vector<kofn_layer>& layers, bool dense, Launch launch) {
    SweepTable table;
    table.dense = dense;
    for (size_t first = 0; first < layers.size(); first += LAYERS) {
        table.count = static_cast<uint32_t>(std::min<size_t>(LAYERS, layers.size() - first));
        uint32_t blocks = 0;
        for (uint32_t i = 0; i < table.count; ++i) {
            table.layers[i] = describe_sweep(layers[first + i]);
            table.layers[i].first_block = blocks;
            blocks += (table.layers[i].weights + SWEPT - 1) / SWEPT;
        }
        launch(table, blocks);
        if (!succeeded(cudaGetLastError(), "launching a kernel")) {
            return false;
        }
    }
    return true;
}

bool apply_over(const std::vector<kofn_layer>& layers, cudaStream_t stream) {
    return sweep_over(layers, false, [stream](const SweepTable& table, uint32_t blocks) {
        KOFN_LAUNCH(apply_masks, blocks, BLOCK, 0, stream, table);
    });
}

/** Gives each layer its blocks and their part of the workspace. */
bool give_workspace(kofn_cuda_context& context, std::vector<Layer>& layers, cudaStream_t stream) {
    const uint32_t most_blocks = 4 * static_cast<uint32_t>(context.multiprocessors);
    size_t bytes = 0;
    for (Layer& layer : layers) {
        layer.blocks = std::min(layer.groups, most_blocks);
        bytes += static_cast<size_t>(layer.blocks) * Winners::bytes(layer.kept);
    }
    if (!reserve_workspace(context, bytes)
        || !succeeded(cudaStreamWaitEvent(stream, context.workspace_free, 0), "waiting for the workspace")) {
        return false;
    }
    unsigned char* part = context.workspace;
    for (Layer& layer : layers) {
        layer.workspace = part;
        part += static_cast<size_t>(layer.blocks) * Winners::bytes(layer.kept);
    }
    return true;
}

/** The gradients of layers whose groups do not fit shared memory. */
bool gradient_of_large(kofn_cuda_context& context, std::vector<Layer>& layers, Table& table, cudaStream_t stream) {
    return layers.empty()
        || (give_workspace(context, layers, stream)
            && launch_over(
                layers, table, [](const Layer& layer) { return layer.blocks; },
                [&](uint32_t blocks) {
                    KOFN_LAUNCH(gradient_of_large_groups, blocks, BLOCK,
                                most_shared_bytes(table, shared_bytes_of_gradient), stream, table);
                })
            && succeeded(cudaEventRecord(context.workspace_free, stream), "recording an event"));
}

/** v and ∂L/∂W of the wide ones among the layers. */
bool reduce_wide_layers(const std::vector<Layer>& layers, Table& table, cudaStream_t stream) {
    std::vector<Layer> wide;
    for (Layer layer : layers) {
        if (layer.wide) {
            layer.lanes = layer.inner_stride == 1 && layer.inner.value >= WARP ? WARP : 1;
            wide.push_back(layer);
        }
    }
    return launch_over(
        wide, table,
        [](const Layer& layer) {
            uint64_t threads = static_cast<uint64_t>(layer.groups) * layer.candidates * layer.lanes;
            return static_cast<uint32_t>((threads + BLOCK - 1) / BLOCK);
        },
        [&](uint32_t blocks) { KOFN_LAUNCH(reduce_wide, blocks, BLOCK, 0, stream, table); });
}

}  // namespace

kofn_cuda_context* kofn_cuda_open(void) {
    kofn_cuda_context* context = new kofn_cuda_context;
    int device = 0;
    if (succeeded(cudaGetDevice(&device), "finding the device")
        && succeeded(cudaDeviceGetAttribute(&context->multiprocessors, cudaDevAttrMultiProcessorCount, device),
                     "asking the device")
        && succeeded(cudaEventCreateWithFlags(&context->workspace_free, cudaEventDisableTiming), "creating an event")
        && reserve_layers(*context, 1024)) {
        return context;
    }
    kofn_cuda_close(context);
    return nullptr;
}

void kofn_cuda_close(kofn_cuda_context* context) {
    if (context == nullptr) {
        return;
    }
    cudaDeviceSynchronize();  // kernels may still write to the words
    cudaFree(context->workspace);
    cudaFreeHost(const_cast<uint32_t*>(context->not_finite));
    if (context->workspace_free != nullptr) {
        cudaEventDestroy(context->workspace_free);
    }
    delete context;
}

kofn_status kofn_cuda_sample(kofn_cuda_context* context, const kofn_layer* layers, int32_t count, const kofn_draw* draw,
                             void* stream_pointer) {
    const cudaStream_t stream = static_cast<cudaStream_t>(stream_pointer);
    if (kofn_status refused = check(layers, count, Call::sample); refused != 0) {
        return refused;
    }
    if (!reserve_layers(*context, count)) {
        return INT_MIN;
    }
    Table table;
    table.draw = *draw;
    table.not_finite = context->not_finite_on_device;
    const std::vector<Layer> described = describe_all(layers, count, Call::sample);
    bool launched = launch_over(described, table, blocks_for_groups, [&](uint32_t blocks) {
        KOFN_LAUNCH(sample, blocks, BLOCK, most_shared_bytes(table, shared_bytes_to_sample), stream, table);
    });
    std::vector<kofn_layer> wide;
    for (const Layer& layer : described) {
        if (layer.wide) {
            wide.push_back(layers[layer.number]);
        }
    }
    return launched && apply_over(wide, stream) ? 0 : INT_MIN;
}

kofn_status kofn_cuda_sample_backward(kofn_cuda_context* context, const kofn_layer* layers, int32_t count,
                                      const kofn_draw* draw, void* stream_pointer) {
    const cudaStream_t stream = static_cast<cudaStream_t>(stream_pointer);
    if (kofn_status refused = check(layers, count, Call::sample_backward); refused != 0) {
        return refused;
    }
    Table table;
    table.draw = *draw;
    table.not_finite = nullptr;
    std::vector<Layer> described = describe_all(layers, count, Call::sample_backward);
    if (!reduce_wide_layers(described, table, stream)) {
        return INT_MIN;
    }
    const auto first_large = std::stable_partition(described.begin(), described.end(), [](const Layer& layer) {
        return layer.size != Size::block_recomputed;
    });
    std::vector<Layer> large(first_large, described.end());
    described.erase(first_large, described.end());
    bool launched = launch_over(described, table, blocks_for_groups, [&](uint32_t blocks) {
        KOFN_LAUNCH(gradient, blocks, BLOCK, most_shared_bytes(table, shared_bytes_of_gradient), stream, table);
    });
    return launched && gradient_of_large(*context, large, table, stream) ? 0 : INT_MIN;
}

kofn_status kofn_cuda_apply(kofn_cuda_context*, const kofn_layer* layers, int32_t count, void* stream) {
    if (kofn_status refused = check(layers, count, Call::apply); refused != 0) {
        return refused;
    }
    return apply_over({layers, layers + count}, static_cast<cudaStream_t>(stream)) ? 0 : INT_MIN;
}

kofn_status kofn_cuda_apply_backward(kofn_cuda_context*, const kofn_layer* layers, int32_t count, int32_t dense,
                                     void* stream_pointer) {
    const cudaStream_t stream = static_cast<cudaStream_t>(stream_pointer);
    if (kofn_status refused = check(layers, count, Call::apply_backward); refused != 0) {
        return refused;
    }
    bool launched = sweep_over({layers, layers + count}, dense != 0, [stream](const SweepTable& table, uint32_t blocks) {
        KOFN_LAUNCH(apply_masks_backward, blocks, BLOCK, 0, stream, table);
    });
    return launched ? 0 : INT_MIN;
}

kofn_status kofn_cuda_status(kofn_cuda_context* context, int32_t wait, void* stream) {
    if (wait != 0 && !succeeded(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "running the kernels")) {
        return INT_MIN;
    }
    kofn_status first = 0;
    for (int32_t i = context->layers; i-- > 0;) {
        if (context->not_finite[i] != 0) {
            context->not_finite[i] = 0;
            first = i + 1;
        }
    }
    return first;
}

const char* kofn_cuda_error(void) {
    return last_error.c_str();
}
