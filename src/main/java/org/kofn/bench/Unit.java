package org.kofn.bench;

import java.util.Arrays;
import java.util.List;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;
import org.kofn.mask.Granularity;
import org.kofn.mask.Keep;
import org.kofn.mask.MaskLayout;

/**
 * What a candidate is in a measurement: {@code weight}, {@code kernel}, {@code filter}, or n:m as in {@code 2:4}.
 *
 * @param granularity the granularity of layers that can have it
 * @param structured the n:m; null for the others
 */
public record Unit(Granularity granularity, Keep structured) {
    private static final List<String> NAMES = List.of("weight", "kernel", "filter", "2:4");

    /** Reads a unit; {@code option} is what the user wrote it for, for errors. */
    public static Unit parse(String option, String text) {
        if (text.matches("\\d{1,6}:\\d{1,6}")) {
            return new Unit(Granularity.N_M, Keep.parse(option, text));
        }
        return Arrays.stream(Granularity.values())
                .filter(known -> known != Granularity.N_M && known.label().equals(text))
                .findFirst()
                .map(known -> new Unit(known, null))
                .orElseThrow(() ->
                        KofnException.usage("%s: '%s' is no granularity%s", option, text, Suggest.hint(text, NAMES)));
    }

    /** The name in cases. */
    public String label() {
        return structured == null ? granularity.label() : structured.text();
    }

    /**
     * The layout of a weight.
     *
     * @throws KofnException (usage) naming the layer when its shape does not allow this unit
     */
    MaskLayout layout(String layer, long[] shape) {
        int m = structured == null ? 0 : Math.toIntExact(structured.n());
        return MaskLayout.of(layer, granularity, shape, m, 1);
    }

    /**
     * The unit for a layer of a network, as a recipe would choose it: where this one makes no sense (kernels of one
     * weight, input channels that m does not divide), single weights.
     */
    Unit fitting(long[] shape) {
        boolean spatial = shape.length == 4 && shape[2] * shape[3] > 1;
        boolean fits =
                switch (granularity) {
                    case KERNEL -> spatial;
                    case N_M -> shape[1] % structured.n() == 0;
                    default -> true;
                };
        return fits ? this : new Unit(Granularity.WEIGHT, null);
    }

    /** k for a layout. */
    long kept(String layer, MaskLayout layout, Keep keep) {
        return (structured == null ? keep : structured).resolve(layer, layout.candidates());
    }
}
