package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert;
import org.junit.jupiter.api.Test;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.nn.Layer.Activation;
import org.kofn.nn.Layer.Add;
import org.kofn.nn.Layer.AvgPool2d;
import org.kofn.nn.Layer.BatchNorm2d;
import org.kofn.nn.Layer.Concat;
import org.kofn.nn.Layer.Conv2d;
import org.kofn.nn.Layer.Dropout;
import org.kofn.nn.Layer.Flatten;
import org.kofn.nn.Layer.Linear;
import org.kofn.nn.Layer.MaxPool2d;

class NetworkTest {
    private static final Shape INPUT = new Shape(2, 4, 4);
    private static final Conv2d CONV = new Conv2d("conv", "input", 2, 3, Window.square(3, 1, 1), 1, true);
    private static final Flatten FLAT = new Flatten("flat", "conv");
    private static final Linear FC = new Linear("fc", "flat", 48, 5, true);

    private static Network of(Layer... layers) {
        return new Network("net", INPUT, 5, Initialisation.PYTORCH, List.of(layers));
    }

    private static void refused(String message, Layer... layers) {
        assertThatThrownBy(() -> of(layers))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                .hasMessage(message);
    }

    @Test
    void shapesAndWeightsComeInForwardOrder() {
        Network network = of(CONV, FLAT, FC);
        assertThat(network.shapes())
                .containsExactly(
                        Map.entry("input", INPUT),
                        Map.entry("conv", new Shape(3, 4, 4)),
                        Map.entry("flat", new Shape(48, 1, 1)),
                        Map.entry("fc", new Shape(5, 1, 1)));
        assertThat(network.weights())
                .containsExactly(
                        new Network.Weight("conv", "conv.weight", "conv2d", new long[] {3, 2, 3, 3}),
                        new Network.Weight("fc", "fc.weight", "linear", new long[] {5, 48}));
        assertThat(network.weights().get(1)).hasToString("fc.weight[5, 48]");
        assertThat(network.weights().get(1).hashCode())
                .isEqualTo(of(CONV, FLAT, FC).weights().get(1).hashCode());
    }

    @Test
    void anUnknownLayerIsAnsweredWithTheNearest() {
        assertThat(of(CONV, FLAT, FC).layer("conv")).isSameAs(CONV);
        assertThatThrownBy(() -> of(CONV, FLAT, FC).layer("con"))
                .hasMessage("model net has no layer 'con'; did you mean 'conv'?");
    }

    @Test
    void networksThatDoNotHoldTogetherAreRefused() {
        refused("model net: has no layers");
        refused("model net: layer conv: this name is used twice", CONV, CONV);
        refused("model net: layer fc: its input 'flat' is no earlier layer; known: input, conv", CONV, FC, FLAT);
        refused(
                "model net: layer fc: takes a vector, gets images; put a flatten layer before it",
                CONV,
                new Linear("fc", "conv", 48, 5, true));
        refused(
                "model net: layer late: takes images, gets a vector; it belongs before the flattening",
                CONV,
                FLAT,
                new Conv2d("late", "flat", 48, 5, Window.square(1, 1, 0), 1, false));
        refused(
                "model net: layer conv: no layer takes its output",
                CONV,
                new Flatten("flat", "input"),
                new Linear("fc", "flat", 32, 5, true));
        refused(
                "model net: layer fc: is the last and gives 6x1x1, where 5 class scores are wanted",
                CONV,
                FLAT,
                new Linear("fc", "flat", 48, 6, true));
        refused(
                "model net, images of 2x4x4: layer fc: takes 47 features, gets 48",
                CONV,
                FLAT,
                new Linear("fc", "flat", 47, 5, true));
        refused(
                "model net, images of 2x4x4: layer conv: takes 3 channels, gets 2x4x4",
                new Conv2d("conv", "input", 3, 3, Window.square(3, 1, 1), 1, true));
        refused(
                "model net, images of 2x4x4: layer bn: takes 4 channels, gets 3x4x4",
                CONV,
                new BatchNorm2d("bn", "conv", 4));
        refused(
                "model net, images of 2x4x4: layer sum: adds inputs of different shapes: [3x4x4, 2x4x4]",
                CONV,
                new Add("sum", List.of("conv", "input")));
        refused(
                "model net, images of 2x4x4: layer cat: joins images of different sizes: [3x4x4, 3x2x2]",
                CONV,
                new MaxPool2d("pool", "conv", Window.square(2, 2, 0)),
                new Concat("cat", List.of("conv", "pool")));
        refused(
                "model net, images of 2x4x4: layer pool: a 5x5 window does not fit an image of 2x4x4",
                new MaxPool2d("pool", "input", Window.square(5, 1, 0)));
    }

    @Test
    void aVectorAndAnImageOfOnePixelDoNotMix() {
        // Both are 2x1x1, yet their sum would broadcast over the batch.
        refused(
                "model net: layer sum: takes images, gets a vector; it belongs before the flattening",
                new Layer.AdaptiveAvgPool2d("pool", "input", 1, 1),
                new Flatten("flat", "pool"),
                new Add("sum", List.of("pool", "flat")),
                new Linear("fc", "sum", 2, 5, true));
    }

    @Test
    void layersRefuseWhatTheyCannotBe() {
        Window window = Window.square(3, 1, 1);
        layer(
                "layer c: 2 groups do not divide 3 channels in and 4 out",
                () -> new Conv2d("c", "input", 3, 4, window, 2, true));
        layer(
                "layer c: needs at least one channel in and out, not 0 and 4",
                () -> new Conv2d("c", "input", 0, 4, window, 1, true));
        layer(
                "layer f: needs at least one feature in and out, not 3 and 0",
                () -> new Linear("f", "input", 3, 0, true));
        layer("layer b: needs an epsilon above 0, not 0.0", () -> new BatchNorm2d("b", "input", 3, 0, 0.1));
        layer("layer b: needs a momentum in [0, 1], not 1.5", () -> new BatchNorm2d("b", "input", 3, 1e-5, 1.5));
        layer(
                "layer a: leaky_relu takes 1 arguments, not 0",
                () -> new Activation("a", "input", Activation.Kind.LEAKY_RELU, List.of()));
        layer(
                "layer p: pads more than half of its 3x3 window",
                () -> new MaxPool2d("p", "input", Window.square(3, 1, 2)));
        layer(
                "layer p: average pooling has no dilation",
                () -> new AvgPool2d("p", "input", new Window(3, 3, 1, 1, 0, 0, 2, 1)));
        layer("layer s: adds at least two inputs, not 1", () -> new Add("s", List.of("input")));
        layer("layer d: needs a probability in [0, 1), not 1.0", () -> new Dropout("d", "input", 1));
        layer(
                "layer '3x3 conv': a name is letters, digits, _ and dots between them",
                () -> new Flatten("3x3 conv", "input"));
        layer("layer input: this name is the network's input", () -> new Flatten("input", "input"));
        layer("layer fc.bias: 'bias' is a name that modules use themselves", () -> new Flatten("fc.bias", "input"));
        layer(
                "a window needs a size, stride and dilation of at least 1 and a padding of at least 0, not"
                        + " 3x3, 0x0, 1x1, 1x1",
                () -> Window.square(3, 0, 1));
        assertThatThrownBy(() -> new Shape(3, 0, 3)).hasMessage("a shape of 3x0x3");
    }

    private static void layer(String message, ThrowableAssert.ThrowingCallable build) {
        assertThatThrownBy(build).isInstanceOf(KofnException.class).hasMessage(message);
    }
}
