package org.kofn.kernels;

import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.jni.KofnCpu;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/**
 * The layers of a network as a native call reads them: one C struct a layer, and the forms of the mask that only native
 * code uses. Geometry is written once; pointers are taken anew for every call, so that none can be stale.
 */
final class LayerTable implements AutoCloseable {
    /** {@code kofn_type} of {@code common/layer.h}. */
    private static final int FLOAT32 = 0;

    private static final int BFLOAT16 = 1;

    /** What belongs to one layer beside its tensors. */
    private static final class Row {
        final MaskedWeight weight;
        final Tensor bits;
        Tensor indices;
        Tensor latentGradient;

        Row(MaskedWeight weight) {
            this.weight = weight;
            MaskLayout layout = weight.layout();
            this.bits = empty(weight, ScalarType.Int, layout.groups(), (layout.candidates() + 31) / 32);
        }

        /** Room for k indices a group, at the start of a tensor that only grows: k changes from step to step. */
        Pointer indices() {
            long size = weight.layout().groups() * weight.k();
            if (indices == null || indices.numel() < size) {
                if (indices != null) {
                    indices.close();
                }
                indices = empty(weight, ScalarType.Int, size);
            }
            return indices.data_ptr();
        }

        Tensor latentGradient() {
            if (latentGradient == null) {
                latentGradient = empty(weight, ScalarType.Float, weight.layout().shape());
            }
            return latentGradient;
        }
    }

    private final List<Row> rows;
    private final KofnCpu.Layer layers;

    /** A table of these weights. */
    LayerTable(List<MaskedWeight> weights) {
        this.rows = weights.stream().map(Row::new).toList();
        this.layers = Tensors.keep(new KofnCpu.Layer(Math.max(1, rows.size())));
        for (int i = 0; i < rows.size(); i++) {
            MaskedWeight weight = rows.get(i).weight;
            requireType(weight, weight.latent(), ScalarType.Float);
            geometry(at(i), weight);
        }
    }

    /** The structs, from the first. */
    KofnCpu.Layer layers() {
        return layers.at(0);
    }

    /** How many layers there are. */
    int size() {
        return rows.size();
    }

    /** The weight of a row. */
    MaskedWeight weight(int row) {
        return rows.get(row).weight;
    }

    /** Points at what a forward call reads and writes. */
    void bindForward() {
        for (int i = 0; i < rows.size(); i++) {
            MaskedWeight weight = rows.get(i).weight;
            at(i).kept(weight.k())
                    .latent(weight.latent().data_ptr())
                    .effective(weight.effective().data_ptr())
                    .mask(weight.mask().data_ptr());
        }
    }

    /** Points at logits and at the forms of the mask that sampling writes. */
    void bindLogits(List<LogitLayer> logitLayers) {
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            LogitLayer layer = logitLayers.get(i);
            requireType(row.weight, layer.logits(), ScalarType.Float);
            Pointer gradient =
                    layer.gradient() == null ? null : layer.gradient().data_ptr();
            at(i).logits(layer.logits().data_ptr())
                    .bits(row.bits.data_ptr())
                    .indices(row.indices())
                    .logitGradient(gradient);
        }
    }

    /**
     * Points at ∂L/∂Weff and gives every latent weight its gradient: the module's own where all would be that, and
     * otherwise one of the table's, to be written by the call.
     *
     * @param dense whether dropped weights have a gradient
     * @return whether the call has latent gradients to write
     */
    boolean bindGradients(boolean dense) {
        // A convolution may leave its gradient in another memory format; the caller's scope ends the copy.
        List<Tensor> upstream = rows.stream()
                .map(row -> row.weight.effective().grad().contiguous())
                .toList();
        boolean write = !dense
                || upstream.stream().anyMatch(tensor -> tensor.scalar_type().intern() != ScalarType.Float);
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            Tensor gradient = write ? row.latentGradient() : upstream.get(i);
            at(i).effectiveGradient(upstream.get(i).data_ptr()).latentGradient(write ? gradient.data_ptr() : null);
            Gradients.set(row.weight.latent(), gradient);
        }
        return write;
    }

    @Override
    public void close() {
        rows.forEach(row -> {
            row.bits.close();
            if (row.indices != null) {
                row.indices.close();
            }
            if (row.latentGradient != null) {
                row.latentGradient.close();
            }
        });
        layers.close();
    }

    private KofnCpu.Layer at(int row) {
        return layers.at(row);
    }

    /** Groups, candidates and elements as axes of the weight's memory. */
    private static void geometry(KofnCpu.Layer layer, MaskedWeight weight) {
        MaskLayout layout = weight.layout();
        int groupAxes = layout.groupAxes();
        int elementAxes = layout.axes().length - groupAxes - 1;
        if (groupAxes > 3 || elementAxes > 2) {
            throw new IllegalArgumentException("layer " + weight.layer() + ": more axes than a kofn_layout has");
        }
        for (int axis = 0; axis < 3; axis++) {
            layer.groupSize(axis, axis < groupAxes ? layout.size(axis) : 1);
            layer.groupStride(axis, axis < groupAxes ? layout.stride(axis) : 0);
        }
        layer.candidates(layout.size(groupAxes)).candidateStride(layout.stride(groupAxes));
        for (int axis = 0; axis < 2; axis++) {
            layer.elementSize(axis, axis < elementAxes ? layout.size(groupAxes + 1 + axis) : 1);
            layer.elementStride(axis, axis < elementAxes ? layout.stride(groupAxes + 1 + axis) : 0);
        }
        boolean half = weight.effective().scalar_type().intern() == ScalarType.BFloat16;
        if (!half) {
            requireType(weight, weight.effective(), ScalarType.Float);
        }
        layer.index(weight.index()).effectiveType(half ? BFLOAT16 : FLOAT32);
    }

    private static void requireType(MaskedWeight weight, Tensor tensor, ScalarType type) {
        if (tensor.scalar_type().intern() != type || !tensor.is_contiguous()) {
            throw new IllegalArgumentException(
                    "layer " + weight.layer() + ": native kernels take contiguous fp32 tensors, and bf16 modules");
        }
    }

    private static Tensor empty(MaskedWeight weight, ScalarType type, long... shape) {
        TensorOptions options = Tensors.options(type, weight.latent().device());
        return Tensors.keep(torch.empty(shape, options, null));
    }
}
