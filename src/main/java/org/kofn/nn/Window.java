package org.kofn.nn;

import org.kofn.base.KofnException;

/**
 * How a convolution or pooling window slides over an image: size, stride, zero padding on both sides, and the spacing
 * of its elements, each for rows and columns, in pixels. Output sizes are rounded down, as in PyTorch without
 * {@code ceil_mode}.
 */
public record Window(
        int height,
        int width,
        int strideHeight,
        int strideWidth,
        int padHeight,
        int padWidth,
        int dilationHeight,
        int dilationWidth) {
    /** Refuses sizes, strides and dilations below one and negative padding. */
    public Window {
        if (Math.min(height, width) < 1
                || Math.min(strideHeight, strideWidth) < 1
                || Math.min(dilationHeight, dilationWidth) < 1
                || Math.min(padHeight, padWidth) < 0) {
            throw KofnException.usage(
                    "a window needs a size, stride and dilation of at least 1 and a padding of at least 0, not"
                            + " %dx%d, %dx%d, %dx%d, %dx%d",
                    height, width, strideHeight, strideWidth, dilationHeight, dilationWidth, padHeight, padWidth);
        }
    }

    /** A square window without dilation. */
    public static Window square(int size, int stride, int padding) {
        return new Window(size, size, stride, stride, padding, padding, 1, 1);
    }

    /** Whether the elements lie side by side. */
    public boolean dense() {
        return dilationHeight == 1 && dilationWidth == 1;
    }

    /**
     * The size of the output image.
     *
     * @param channels feature maps of the output
     * @throws KofnException (usage) when the window is larger than the padded image
     */
    public Shape slideOver(Shape image, int channels) {
        int rows = places(image.height(), height, strideHeight, padHeight, dilationHeight);
        int columns = places(image.width(), width, strideWidth, padWidth, dilationWidth);
        if (rows < 1 || columns < 1) {
            throw KofnException.usage("a %s window does not fit an image of %s", this, image);
        }
        return new Shape(channels, rows, columns);
    }

    private static int places(int image, int size, int stride, int padding, int dilation) {
        int room = image + 2 * padding - dilation * (size - 1) - 1;
        return room < 0 ? 0 : room / stride + 1;
    }

    /** Such as {@code 3x3}. */
    @Override
    public String toString() {
        return height + "x" + width;
    }
}
