package org.kofn.torch;

import java.util.Arrays;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Tensors to and from Java arrays, and their lifetime. LibTorch tensors are native memory: whatever is created inside a
 * {@code PointerScope} is released when the scope closes, results too, unless {@link #keep} was called.
 */
public final class Tensors {
    private Tensors() {}

    /**
     * Lets a pointer outlive the scope it was created in; its owner closes it. Static constants need it too: a class
     * may be initialised inside a scope.
     */
    public static <T extends Pointer> T keep(T pointer) {
        pointer.retainReference();
        return pointer;
    }

    /**
     * The result of a computation, which belongs to the caller's scope; what the computation made on its way is freed
     * before this returns.
     */
    public static Tensor only(Supplier<Tensor> computation) {
        Tensor result;
        try (PointerScope scope = new PointerScope()) {
            result = keep(computation.get());
        }
        PointerScope callers = PointerScope.getInnerScope();
        if (callers != null) {
            callers.attach(result);
            result.releaseReference();
        }
        return result;
    }

    /** Sizes of all axes. */
    public static long[] shape(Tensor tensor) {
        long[] sizes = new long[(int) tensor.dim()];
        for (int axis = 0; axis < sizes.length; axis++) {
            sizes[axis] = tensor.size(axis);
        }
        return sizes;
    }

    /** The contents in row-major order as raw little-endian bytes, copied from whatever device they are on. */
    public static byte[] bytes(Tensor tensor) {
        try (PointerScope scope = new PointerScope()) {
            Tensor host = tensor.detach().cpu().contiguous();
            byte[] out = new byte[Math.toIntExact(host.nbytes())];
            if (out.length > 0) {
                new BytePointer(host.data_ptr()).capacity(out.length).get(out);
            }
            return out;
        }
    }

    /** A CPU tensor of the given type and shape from raw little-endian bytes. */
    public static Tensor ofBytes(byte[] data, ScalarType type, long... shape) {
        Tensor out = torch.empty(shape, new TensorOptions(type), null);
        if (out.nbytes() != data.length) {
            throw new IllegalArgumentException(data.length + " bytes do not fill " + out.nbytes());
        }
        if (data.length > 0) {
            new BytePointer(out.data_ptr()).capacity(data.length).put(data);
        }
        return out;
    }

    /** The contents as floats, whatever the numeric type. */
    public static float[] floats(Tensor tensor) {
        try (PointerScope scope = new PointerScope()) {
            Tensor host = tensor.detach().cpu().to(ScalarType.Float).contiguous();
            float[] out = new float[Math.toIntExact(host.numel())];
            if (out.length > 0) {
                host.data_ptr_float().capacity(out.length).get(out);
            }
            return out;
        }
    }

    /** The contents as longs, whatever the integral type. */
    public static long[] longs(Tensor tensor) {
        try (PointerScope scope = new PointerScope()) {
            Tensor host = tensor.detach().cpu().to(ScalarType.Long).contiguous();
            long[] out = new long[Math.toIntExact(host.numel())];
            if (out.length > 0) {
                host.data_ptr_long().capacity(out.length).get(out);
            }
            return out;
        }
    }

    /** A float32 CPU tensor. */
    public static Tensor of(float[] values, long... shape) {
        Tensor out = torch.empty(shape, new TensorOptions(ScalarType.Float), null);
        requireSize(out, values.length);
        if (values.length > 0) {
            out.data_ptr_float().capacity(values.length).put(values);
        }
        return out;
    }

    /** An int64 CPU tensor. */
    public static Tensor of(long[] values, long... shape) {
        Tensor out = torch.empty(shape, new TensorOptions(ScalarType.Long), null);
        requireSize(out, values.length);
        if (values.length > 0) {
            out.data_ptr_long().capacity(values.length).put(values);
        }
        return out;
    }

    /** An int64 CPU tensor, as LibTorch wants indices. */
    public static Tensor indices(int... values) {
        return of(Arrays.stream(values).asLongStream().toArray(), values.length);
    }

    /** A uint8 CPU tensor. */
    public static Tensor of(byte[] values, long... shape) {
        return ofBytes(values, ScalarType.Byte, shape);
    }

    /** Zeros of a type on a device. */
    public static Tensor zeros(ScalarType type, Device device, long... shape) {
        try (PointerScope scope = new PointerScope()) {
            return keep(torch.zeros(shape, options(type, device)));
        }
    }

    /** Options of a type on a device. */
    public static TensorOptions options(ScalarType type, Device device) {
        return new TensorOptions(device).dtype(new ScalarTypeOptional(type));
    }

    private static void requireSize(Tensor tensor, int values) {
        if (tensor.numel() != values) {
            throw new IllegalArgumentException(values + " values do not fill " + tensor.numel());
        }
    }
}
