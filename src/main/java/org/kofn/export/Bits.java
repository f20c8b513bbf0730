package org.kofn.export;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/** Comparison of tensors by their bits: NaN equals the same NaN, and −0.0 is not +0.0. */
final class Bits {
    private Bits() {}

    /** What tells two tensors apart, in words; null when type, shape and every bit agree. Devices may differ. */
    static String difference(Tensor one, Tensor other) {
        ScalarType type = one.scalar_type().intern();
        if (type != other.scalar_type().intern()) {
            return "type " + type + " against " + other.scalar_type().intern();
        }
        if (!Arrays.equals(Tensors.shape(one), Tensors.shape(other))) {
            return "shape " + Arrays.toString(Tensors.shape(one)) + " against " + Arrays.toString(Tensors.shape(other));
        }
        try (PointerScope scope = new PointerScope()) {
            Tensor a = one.detach().cpu();
            Tensor b = other.detach().cpu();
            if (integers(a).equal(integers(b))) {
                return null;
            }
            long count = integers(a).ne(integers(b)).count_nonzero().item_long();
            return count + " of " + one.numel() + " values, by at most " + largest(a, b);
        }
    }

    /** What tells the tensors of a file from those of a module; null when names and all bits agree. */
    static String difference(Map<String, Tensor> file, Map<String, Tensor> module) {
        if (!file.keySet().equals(module.keySet())) {
            List<String> names = new ArrayList<>(file.keySet());
            names.removeAll(module.keySet());
            List<String> others = new ArrayList<>(module.keySet());
            others.removeAll(file.keySet());
            return "only in model.safetensors: " + names + ", only in the module: " + others;
        }
        for (Map.Entry<String, Tensor> tensor : file.entrySet()) {
            String difference = difference(tensor.getValue(), module.get(tensor.getKey()));
            if (difference != null) {
                return tensor.getKey() + ": " + difference;
            }
        }
        return null;
    }

    /** The largest absolute difference; NaN where one has a NaN. */
    static double largest(Tensor one, Tensor other) {
        try (PointerScope scope = new PointerScope()) {
            Tensor a = one.detach().cpu().to(ScalarType.Double);
            Tensor b = other.detach().cpu().to(ScalarType.Double);
            return one.numel() == 0 ? 0 : a.sub(b).abs().max().item_double();
        }
    }

    private static Tensor integers(Tensor tensor) {
        return switch (tensor.scalar_type().intern()) {
            case Double -> tensor.view(ScalarType.Long);
            case Float -> tensor.view(ScalarType.Int);
            case Half, BFloat16 -> tensor.view(ScalarType.Short);
            default -> tensor;
        };
    }
}
