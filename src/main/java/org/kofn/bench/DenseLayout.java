package org.kofn.bench;

import java.util.List;
import org.bytedeco.pytorch.Device;
import org.kofn.runtime.LayerShape;
import org.kofn.torch.OneDnn;

/** The ways in which LibTorch computes a dense layer; the sparse kernels are compared with the fastest one. */
enum DenseLayout {
    /** Contiguous images and weights as where {@link OneDnn#whyOff} keeps oneDNN from computing. */
    WITHOUT_ONEDNN("contiguous without oneDNN"),
    /** Contiguous images and weights. */
    CONTIGUOUS("contiguous"),
    /** Channels innermost. */
    CHANNELS_LAST("channels-last"),
    /** Contiguous images, the weight reordered once for oneDNN, as freezing for inference does. */
    PACKED("packed"),
    /** Channels innermost, the weight reordered once. */
    PACKED_CHANNELS_LAST("packed channels-last"),
    /** A matrix product with the output in its place: what the runtime runs for linear layers. */
    LINEAR("linear"),
    /** A linear layer as a convolution of images of one pixel. */
    ONE_PIXEL("1x1 convolution");

    private final String words;

    DenseLayout(String words) {
        this.words = words;
    }

    /** In results. */
    String words() {
        return words;
    }

    /** The ways for a layer on a device; the first is what the runtime runs where the sparse kernel does not pay. */
    static List<DenseLayout> of(LayerShape shape, Device device) {
        if (shape.window() == null) {
            return List.of(LINEAR, ONE_PIXEL);
        }
        if (device.is_cuda()) {
            return List.of(CONTIGUOUS, CHANNELS_LAST);
        }
        return OneDnn.whyOff() == null
                ? List.of(CONTIGUOUS, CHANNELS_LAST, PACKED, PACKED_CHANNELS_LAST)
                : List.of(WITHOUT_ONEDNN, CONTIGUOUS, CHANNELS_LAST, PACKED, PACKED_CHANNELS_LAST);
    }
}
