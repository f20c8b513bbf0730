package org.kofn.bench;

import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.nn.Window;
import org.kofn.runtime.LayerCase;
import org.kofn.runtime.LayerShape;
import org.kofn.torch.OneDnn;

/** A dense layer of random normal numbers in some of LibTorch's layouts. Its tensors belong to the caller's scope. */
final class DenseLayer {
    private static final long[] ONE = {1, 1};

    /** How many outputs are computed in double precision, which is slow. */
    private static final int SAMPLE = 4;

    private final Tensor images;
    private final Tensor weight;
    private final Tensor bias;
    private final Window window;

    private final Map<DenseLayout, Supplier<Tensor>> runs = new EnumMap<>(DenseLayout.class);

    /** A layer on a device that can {@link #run} in these layouts. */
    DenseLayer(LayerCase layer, Device device, Collection<DenseLayout> layouts) {
        LayerShape shape = layer.layer();
        ScalarType type = layer.precision().type();
        images = torch.randn(layer.batch(), shape.inputs(), shape.height(), shape.width())
                .to(device, type);
        weight = torch.randn(shape.weight()).to(device, type);
        bias = torch.randn(shape.outputs()).to(device, type);
        window = shape.window();
        layouts.forEach(layout -> runs.put(
                layout,
                window == null
                        ? linear(layout, images, weight, bias)
                        : convolution(layout, images, weight, new TensorOptional(bias), window)));
    }

    /** The output; who closes it soon lets the next one have the same memory. */
    Tensor run(DenseLayout layout) {
        return runs.get(layout).get();
    }

    /** The first few outputs of all images, in double precision, for which LibTorch has no oneDNN. */
    Tensor exact() {
        long outputs = Math.min(SAMPLE, weight.size(0));
        Tensor input = images.to(ScalarType.Double);
        Tensor rows = weight.narrow(0, 0, outputs).to(ScalarType.Double);
        Tensor added = bias.narrow(0, 0, outputs).to(ScalarType.Double);
        return window == null
                ? torch.linear(input.flatten(1, -1), rows, new TensorOptional(added))
                : torch.conv2d(input, rows, new TensorOptional(added), stride(window), padding(window), ONE, 1);
    }

    private static long[] stride(Window window) {
        return new long[] {window.strideHeight(), window.strideWidth()};
    }

    private static long[] padding(Window window) {
        return new long[] {window.padHeight(), window.padWidth()};
    }

    private static Supplier<Tensor> linear(DenseLayout layout, Tensor images, Tensor weight, Tensor bias) {
        if (layout == DenseLayout.LINEAR) {
            Tensor input = images.flatten(1, -1);
            Tensor transposed = weight.t();
            Tensor output = torch.empty(new long[] {images.size(0), weight.size(0)}, images.options(), null);
            return () -> torch.addmm_out(output, bias, input, transposed);
        }
        Tensor window = weight.view(weight.size(0), weight.size(1), 1, 1);
        TensorOptional added = new TensorOptional(bias);
        return () -> torch.conv2d(images, window, added, ONE, new long[] {0, 0}, ONE, 1);
    }

    private static Supplier<Tensor> convolution(
            DenseLayout layout, Tensor images, Tensor weight, TensorOptional bias, Window window) {
        long[] stride = stride(window);
        long[] padding = padding(window);
        boolean last = layout == DenseLayout.CHANNELS_LAST || layout == DenseLayout.PACKED_CHANNELS_LAST;
        Tensor input = last ? images.contiguous(MemoryFormat.ChannelsLast) : images;
        if (layout == DenseLayout.CONTIGUOUS || layout == DenseLayout.CHANNELS_LAST) {
            Tensor laid = last ? weight.contiguous(MemoryFormat.ChannelsLast) : weight;
            return () -> torch.conv2d(input, laid, bias, stride, padding, ONE, 1);
        }
        if (layout == DenseLayout.WITHOUT_ONEDNN) {
            return () -> {
                try (OneDnn.Setting without = OneDnn.disable()) {
                    return torch.conv2d(input, weight, bias, stride, padding, ONE, 1);
                }
            };
        }
        long[] size = {images.size(0), images.size(1), images.size(2), images.size(3)};
        Tensor packed = torch.mkldnn_reorder_conv2d_weight(
                weight.to_mkldnn(new ScalarTypeOptional()), padding, stride, ONE, 1, size);
        return () -> torch.mkldnn_convolution(input, packed, bias, padding, stride, ONE, 1);
    }
}
