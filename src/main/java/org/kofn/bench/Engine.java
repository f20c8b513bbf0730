package org.kofn.bench;

import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;
import org.kofn.data.DataCatalog;
import org.kofn.export.SparseModel;
import org.kofn.kernels.Precision;
import org.kofn.runtime.Backend;
import org.kofn.runtime.DispatchTable;

/** What runs a network in a measurement of {@code kofn bench model}. */
enum Engine {
    /** Frozen, so that weights are constants and batch norms folded; images contiguous. */
    LIBTORCH("LibTorch, frozen"),
    /** The same with the channels innermost, of which oneDNN has loops of their own. */
    LIBTORCH_CHANNELS_LAST("LibTorch, frozen, channels last"),
    /** Frozen and optimised for inference: convolutions, rectifiers and sums in oneDNN's own layout. */
    LIBTORCH_OPTIMISED("LibTorch, optimised"),
    /** ONNX Runtime with its default optimisations: all. */
    ONNX_RUNTIME("ONNX Runtime"),
    /** kofn's sparse runtime. */
    SPARSE("kofn sparse"),
    /** The same with weights and values in bf16, beside fp32 on a CPU. */
    SPARSE_BF16("kofn sparse, bf16");

    private final String words;

    Engine(String words) {
        this.words = words;
    }

    /** A loaded network. */
    interface Loaded extends AutoCloseable {
        /** fp32 scores [batch, classes] of fp32 images; they belong to the caller's scope. */
        Tensor run(Tensor images);

        @Override
        void close();
    }

    /** In reports. */
    String words() {
        return words;
    }

    /** Whether it is LibTorch, which the others are compared with. */
    boolean isBaseline() {
        return ordinal() <= LIBTORCH_OPTIMISED.ordinal();
    }

    /** Whether it runs on a device; those that do not have CPU loops alone here. */
    boolean runsOn(Device device) {
        return !device.is_cuda() || this == LIBTORCH || this == LIBTORCH_CHANNELS_LAST || this == SPARSE;
    }

    /** The file that it reads. */
    Path file(ModelFiles files) {
        return switch (this) {
            case ONNX_RUNTIME -> files.onnx();
            case SPARSE, SPARSE_BF16 -> files.compact();
            default -> files.modelPt();
        };
    }

    /** Images as it likes them, in the caller's scope. */
    Tensor arrange(Tensor images) {
        return this == LIBTORCH_CHANNELS_LAST ? images.contiguous(MemoryFormat.ChannelsLast) : images;
    }

    /**
     * Reads its file.
     *
     * @param device has to stay open as long
     * @param threads on a CPU
     */
    Loaded load(ModelFiles files, Device device, Precision precision, int threads) {
        return switch (this) {
            case SPARSE -> sparse(files, Backend.of(device, precision, threads));
            case SPARSE_BF16 -> sparse(files, Backend.of(device, Precision.BF16, threads));
            case ONNX_RUNTIME -> new OnnxRuntime(files.onnxRuntime(), files.onnx(), threads);
            case LIBTORCH, LIBTORCH_CHANNELS_LAST ->
                new FrozenModule(files.modelPt(), device, precision.type(), torch::freeze);
            case LIBTORCH_OPTIMISED ->
                new FrozenModule(files.modelPt(), device, precision.type(), torch::optimize_for_inference);
        };
    }

    private static Loaded sparse(ModelFiles files, Backend backend) {
        DispatchTable table = DispatchTable.open(DataCatalog.home(), backend.device());
        SparseModel model = SparseModel.open(files.compact(), backend, table);
        return new Loaded() {
            @Override
            public Tensor run(Tensor images) {
                return model.logits(images);
            }

            @Override
            public void close() {
                model.close();
            }
        };
    }
}
