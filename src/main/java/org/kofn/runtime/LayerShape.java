package org.kofn.runtime;

import org.kofn.nn.Shape;
import org.kofn.nn.Window;

/**
 * What the speed of a convolution or linear layer depends on, beside batch and threads.
 *
 * @param inputs n: feature maps, or features of a linear layer
 * @param outputs O
 * @param height rows of the input; 1 for a linear layer
 * @param width columns of the input; 1 for a linear layer
 * @param window of a convolution; null for a linear layer
 * @param share b: so many consecutive outputs read the same inputs; 1 for none
 */
public record LayerShape(int inputs, int outputs, int height, int width, Window window, int share) {
    /** Checks the sizes, and that the window fits. */
    public LayerShape {
        if (share < 1 || outputs % share != 0 || (window == null && height * width != 1)) {
            throw new IllegalArgumentException("a share of " + share + " for " + outputs + " outputs at " + width);
        }
        Shape image = new Shape(inputs, height, width);
        if (window != null) {
            window.slideOver(image, outputs);
        }
    }

    /** The shape of a layer of a network that reads images of that shape. */
    public static LayerShape of(Shape input, int outputs, Window window, int share) {
        return new LayerShape(input.channels(), outputs, input.height(), input.width(), window, share);
    }

    static LayerShape of(Op.Weighted op, Shape input) {
        int share = op.kept() == null ? 1 : op.kept().share();
        return op instanceof Op.Conv conv
                ? of(input, op.outputs(), conv.window(), share)
                : of(Shape.features(op.weights().inputs()), op.outputs(), null, share);
    }

    /** The input for one image. */
    public Shape input() {
        return new Shape(inputs, height, width);
    }

    /** The output for one image. */
    public Shape output() {
        return window == null ? Shape.features(outputs) : window.slideOver(input(), outputs);
    }

    /** The shape of the dense weight: [O, n, R, S] or [O, n]. */
    public long[] weight() {
        return window == null
                ? new long[] {outputs, inputs}
                : new long[] {outputs, inputs, window.height(), window.width()};
    }

    /** Floating-point operations for one image when k inputs are kept: two for every kept weight and place. */
    public double operations(int kept) {
        double taps = window == null ? 1 : window.height() * window.width();
        return 2.0 * kept * taps * output().size();
    }

    /** Whether measurements of the one say something of the other: same kernel, same stride, shared lists or not. */
    boolean resembles(LayerShape other) {
        boolean windows = window == null || other.window == null
                ? window == other.window
                : window.height() == other.window.height()
                        && window.width() == other.window.width()
                        && window.strideHeight() == other.window.strideHeight()
                        && window.strideWidth() == other.window.strideWidth();
        return windows && (share == 1) == (other.share == 1);
    }

    /** The kernel: {@code 3x3}, {@code 1x1/2} with a stride of 2, {@code linear}. */
    public String kernel() {
        if (window == null) {
            return "linear";
        }
        int stride = Math.max(window.strideHeight(), window.strideWidth());
        return window + (stride > 1 ? "/" + stride : "");
    }

    /** Such as {@code 64>128 3x3/2 56x56}, or {@code 512>1000 linear}. */
    @Override
    public String toString() {
        return inputs + ">" + outputs + " " + kernel() + (window == null ? "" : " " + height + "x" + width)
                + (share > 1 ? " share " + share : "");
    }
}
