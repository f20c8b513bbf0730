package org.kofn.runtime;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.torch.Tensors;

/**
 * The memory of one inference at a time: one block, and pointers and tensors at the places in it that the plan gave to
 * buffers. They are made once, so that running allocates nothing.
 */
final class Workspace implements AutoCloseable {
    /** Where scratch memory of a GPU's kernels may begin. */
    private static final long SCRATCH_ALIGNMENT = 256;

    private final Tensor block;
    private final Map<Buffer, FloatPointer> pointers = new HashMap<>();
    private final Map<Buffer, Tensor> tensors = new HashMap<>();
    private final Map<Buffer, KofnSparseConv.PaddedTensor> layouts = new HashMap<>();
    private final FloatPointer scratch;
    private Tensor images;
    private Session session;

    /**
     * Allocates a block of zeros, which those around the planes stay.
     *
     * @param offsets the place of every buffer, in bytes
     * @param bytes of all of them; scratch memory follows
     * @param backend whose memory it is
     */
    Workspace(Map<Buffer, Long> offsets, long bytes, long scratchBytes, Backend backend) {
        try (PointerScope scope = new PointerScope()) {
            long start = (bytes + SCRATCH_ALIGNMENT - 1) / SCRATCH_ALIGNMENT * SCRATCH_ALIGNMENT;
            block = Tensors.zeros(ScalarType.Byte, backend.device(), start + scratchBytes + 1);
            Pointer memory = block.data_ptr();
            offsets.forEach((buffer, offset) -> {
                pointers.put(buffer, Tensors.keep(new FloatPointer(memory.getPointer(offset))));
                if (buffer.padded() == null) {
                    Tensor values = block.narrow(0, offset, buffer.bytes())
                            .view(buffer.precision().type())
                            .view(sizes(buffer));
                    tensors.put(buffer, Tensors.keep(values));
                } else {
                    layouts.put(buffer, Tensors.keep(buffer.padded().tensor()));
                }
            });
            scratch = Tensors.keep(new FloatPointer(memory.getPointer(start)));
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

    /** The network's input for the next run, contiguous, and the inference that the run is part of. */
    void bind(Tensor batch, Session inference) {
        images = batch;
        session = inference;
    }

    /** Where work goes: see {@link Session#stream}. */
    Pointer stream() {
        return session.stream();
    }

    /** Where a buffer begins, whatever it holds. */
    FloatPointer pointer(Buffer buffer) {
        FloatPointer known = pointers.get(buffer);
        return known == null ? new FloatPointer(images.data_ptr()) : known;
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
