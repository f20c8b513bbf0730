package org.kofn.kernels;

/**
 * Gumbel noise in single precision, as {@code cuda/common/arithmetic.h} computes it: a fixed sequence of IEEE 754
 * operations, fused multiply-adds among them, whose bits are the same on every processor and in every implementation.
 * (Java's own {@code Math.log} is free to differ from machine to machine.) Where the polynomial comes from, and how far
 * the result is from the true logarithm, is said there.
 */
final class GumbelArithmetic {
    /** Words below this are v &lt; 1 − √½, whose ln(1 − v) needs no exponent. */
    private static final int DIRECT = 0x4AFB0CCC;

    private static final int ROOT_HALF = 0x3F3504F3;

    private GumbelArithmetic() {}

    /**
     * v = (r + ½)·2⁻³², E = −ln(1 − v), g = −ln E for the random word r, without sign. Where v nears 1 its complement
     * is used, which the word gives exactly; so g lies in [−3.13, 22.9] and is never infinite.
     */
    static float gumbel(int word) {
        boolean direct = Integer.compareUnsigned(word, DIRECT) < 0;
        float t = unitInterval(direct ? word : ~word);
        float exponential = direct ? -logOfParts(0, -t) : -log(t);
        return -log(exponential);
    }

    /** (r + ½)·2⁻³², correctly rounded: the low half is exact, so that there is one rounding. */
    private static float unitInterval(int word) {
        float high = word >>> 16;
        float low = word & 0xFFFF;
        return Math.fma(high, 0x1p-16f, Math.fma(low, 0x1p-32f, 0x1p-33f));
    }

    /** ln x for positive, normal x = 2ᵉ·(1 + f) with 1 + f in [√½, √2). */
    private static float log(float x) {
        int shifted = Float.floatToRawIntBits(x) - ROOT_HALF;
        float e = shifted >> 23;
        float f = Float.intBitsToFloat((shifted & 0x007FFFFF) + ROOT_HALF) - 1;
        return logOfParts(e, f);
    }

    /** e·ln 2 + ln(1 + f). */
    private static float logOfParts(float e, float f) {
        float q = -0x1.38c9d4p-4f;
        q = Math.fma(q, f, 0x1.055ec4p-3f);
        q = Math.fma(q, f, -0x1.0d8242p-3f);
        q = Math.fma(q, f, 0x1.22d92ep-3f);
        q = Math.fma(q, f, -0x1.54728ap-3f);
        q = Math.fma(q, f, 0x1.99a01cp-3f);
        q = Math.fma(q, f, -0x1.000226p-2f);
        q = Math.fma(q, f, 0x1.555554p-2f);
        float square = f * f;
        // ln 2 in two parts; the product of the first with any exponent is exact.
        float tail = Math.fma(f * q, square, e * 0x1.7f7d1cp-20f);
        tail = Math.fma(-0.5f, square, tail);
        return Math.fma(e, 0x1.62e4p-1f, f + tail);
    }
}
