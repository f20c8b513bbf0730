package org.kofn.recipe;

import java.math.BigDecimal;

/** Numbers as people write them: {@code 20}, {@code 0.05}, {@code 1.0e-5}; every text reads back as the same double. */
final class Numbers {
    private Numbers() {}

    /** The shortest decimal text of a finite double; with a point in scientific form, as YAML 1.1 readers want it. */
    static String text(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.toString(value);
        }
        BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        double size = Math.abs(value);
        if (size == 0) {
            return "0";
        }
        return size >= 1e-3 && size < 1e7
                ? exact.toPlainString()
                : Double.toString(value).replace('E', 'e').replaceFirst("e(\\d)", "e+$1");
    }

    /** A product without binary dust: 3 · 0.1 is 0.3. */
    static double times(double a, double b) {
        return new BigDecimal(Double.toString(a))
                .multiply(new BigDecimal(Double.toString(b)))
                .doubleValue();
    }
}
