package org.kofn.nn;

/**
 * The size of one sample: channels, height and width, without the batch. A vector of f features is {@code (f, 1, 1)}.
 *
 * @param channels feature maps, or features of a vector
 * @param height rows, in pixels
 * @param width columns, in pixels
 */
public record Shape(int channels, int height, int width) {
    /** Refuses sizes below one. */
    public Shape {
        if (channels < 1 || height < 1 || width < 1) {
            throw new IllegalArgumentException("a shape of " + channels + "x" + height + "x" + width);
        }
    }

    /** A vector of {@code count} features. */
    public static Shape features(int count) {
        return new Shape(count, 1, 1);
    }

    /** Numbers in one sample: channels · height · width. */
    public long size() {
        return (long) channels * height * width;
    }

    /** Such as {@code 3x32x32}. */
    @Override
    public String toString() {
        return channels + "x" + height + "x" + width;
    }
}
