package org.kofn.data;

/**
 * What happens to a training image before it is seen, anew in every epoch. Whatever comes in from outside the image is
 * black (pixel 0), as where an image is padded before it is normalised.
 *
 * @param shift random shift of up to this many pixels along each axis
 * @param crop padding on each side, after which an image of the old size is cut out at random
 * @param flip whether every second image, by chance, is mirrored left to right
 */
public record Augmentation(int shift, int crop, boolean flip) {
    /** Images as they are. */
    public static final Augmentation NONE = new Augmentation(0, 0, false);

    /** Refuses negative distances. */
    public Augmentation {
        if (shift < 0 || crop < 0) {
            throw new IllegalArgumentException("shift and crop must not be negative: " + shift + ", " + crop);
        }
    }

    /** How far an image can move along an axis: a crop after padding is a shift, and shifts add up. */
    int reach() {
        return shift + crop;
    }

    /** Whether images stay as they are. */
    boolean isNone() {
        return reach() == 0 && !flip;
    }
}
