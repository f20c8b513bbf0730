package org.kofn.bench;

import java.util.List;
import org.kofn.runtime.LayerShape;

/** The ways in which LibTorch computes a dense layer; the sparse kernels are compared with the fastest one. */
enum DenseLayout {
    /** Contiguous images and weights: what the runtime runs where the sparse kernel does not pay. */
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

    /** The ways for a layer; the first is the runtime's own. */
    static List<DenseLayout> of(LayerShape shape) {
        return shape.window() == null
                ? List.of(LINEAR, ONE_PIXEL)
                : List.of(CONTIGUOUS, CHANNELS_LAST, PACKED, PACKED_CHANNELS_LAST);
    }
}
