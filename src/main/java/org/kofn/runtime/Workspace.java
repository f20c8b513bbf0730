package org.kofn.runtime;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.torch.Tensors;

/**
 * The memory of one inference at a time: one block, and pointers and tensors at the places in it that the plan gave to
 * buffers. They are made once, so that running allocates nothing.
 */
final class Workspace implements AutoCloseable {
    private final Tensor block;
    private final Map<Buffer, FloatPointer> pointers = new HashMap<>();
    private final Map<Buffer, Tensor> tensors = new HashMap<>();
    private final Map<Buffer, KofnSparseConv.PaddedTensor> layouts = new HashMap<>();
    private final FloatPointer scratch;
    private Tensor images;

    /**
     * Allocates a block of zeros, which those around the planes stay.
     *
     * @param offsets the place of every buffer, in bytes
     * @param bytes of all of them; scratch memory follows
     */
    Workspace(Map<Buffer, Long> offsets, long bytes, long scratchBytes) {
        try (PointerScope scope = new PointerScope()) {
            TensorOptions floats = new TensorOptions(ScalarType.Float);
            long[] size = {(bytes + scratchBytes) / Float.BYTES + 1};
            block = Tensors.keep(torch.zeros(size, floats));
            FloatPointer start = block.data_ptr_float();
            offsets.forEach((buffer, offset) -> {
                FloatPointer at = start.getPointer(offset / Float.BYTES);
                pointers.put(buffer, Tensors.keep(at));
                if (buffer.padded() == null) {
                    TensorOptions options = buffer.storage().options();
                    tensors.put(buffer, Tensors.keep(torch.from_blob(at, sizes(buffer), options)));
                } else {
                    layouts.put(buffer, Tensors.keep(buffer.padded().tensor()));
                }
            });
            scratch = Tensors.keep(start.<FloatPointer>getPointer(bytes / Float.BYTES));
        }
    }

    private static long[] sizes(Buffer buffer) {
        return new long[] {
            buffer.batch(),
            buffer.shape().channels(),
            buffer.shape().height(),
            buffer.shape().width()
        };
    }

    /** The network's input for the next run, contiguous. */
    void bind(Tensor batch) {
        images = batch;
    }

    /** Where a buffer begins, whatever it holds. */
    FloatPointer pointer(Buffer buffer) {
        FloatPointer known = pointers.get(buffer);
        return known == null ? images.data_ptr_float() : known;
    }

    /** A plain buffer [batch, channels, height, width] as a tensor. */
    Tensor tensor(Buffer buffer) {
        return tensors.getOrDefault(buffer, images);
    }

    /** A buffer's layout as the native kernels read it. */
    KofnSparseConv.PaddedTensor layout(Buffer buffer) {
        return layouts.get(buffer);
    }

    /** Scratch memory of the step that runs. */
    FloatPointer scratch() {
        return scratch;
    }

    @Override
    public void close() {
        tensors.values().forEach(Tensor::close);
        pointers.values().forEach(FloatPointer::close);
        layouts.values().forEach(KofnSparseConv.PaddedTensor::close);
        scratch.close();
        block.close();
    }
}
