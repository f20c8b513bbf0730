package org.kofn.export;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.Arrays;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;

/**
 * What a compact file says about one pruned parameter. Names and meanings are those of {@code docs/format.md}. All but
 * {@code parameter}, {@code granularity}, {@code shape}, {@code n}, {@code k}, {@code share} and {@code encoding}
 * follows from these and stands there for the reader's ease; {@link #layout} checks that it does follow.
 *
 * @param values the tensor [G, k, E] with the kept weights; the parameter itself when k = n
 * @param mask the tensor with the packed mask; null when k = n
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
record CompactEntry(
        String parameter,
        String granularity,
        long[] shape,
        int share,
        long[] view,
        int[] axes,
        int groupAxes,
        long groups,
        long n,
        long k,
        long elements,
        String encoding,
        int indexBits,
        String values,
        String mask) {
    private static final int MOST_AXES = 4;
    private static final long MOST_CANDIDATES = Integer.MAX_VALUE - 8;

    static CompactEntry of(PrunedTensor pruned) {
        MaskLayout layout = pruned.layout();
        return of(pruned.parameter(), layout, pruned.k(), MaskCode.smallest(layout.candidates(), pruned.k()));
    }

    private static CompactEntry of(String parameter, MaskLayout layout, long k, MaskCode code) {
        return new CompactEntry(
                parameter,
                layout.granularity().label(),
                layout.shape(),
                layout.share(),
                layout.view(),
                layout.axes(),
                layout.groupAxes(),
                layout.groups(),
                layout.candidates(),
                k,
                layout.elements(),
                code.label(),
                code == MaskCode.INDICES ? MaskCode.indexBits(layout.candidates()) : 0,
                code == MaskCode.NONE ? parameter : parameter + ".values",
                code == MaskCode.NONE ? null : parameter + ".mask");
    }

    /** The code of the mask; call {@link #layout} first, which checks it. */
    MaskCode code() {
        return Arrays.stream(MaskCode.values())
                .filter(known -> known.label().equals(encoding))
                .findFirst()
                .orElse(null);
    }

    /**
     * The layout of granularity, shape, n and share.
     *
     * @param where the file, for errors
     * @throws KofnException (file) when these do not fit, or what is derived from them differs
     */
    MaskLayout layout(Object where) {
        Granularity known = Arrays.stream(Granularity.values())
                .filter(candidate -> candidate.label().equals(granularity))
                .findFirst()
                .orElseThrow(() -> bad(where, "unknown granularity"));
        if (code() == null) {
            throw bad(where, "unknown encoding");
        }
        if (shape == null || view == null || axes == null || values == null) {
            throw bad(where, "shape, view, axes and values must be given");
        }
        requireSmall(where);
        MaskLayout layout;
        try {
            int m = known == Granularity.N_M ? Math.toIntExact(n) : 0;
            layout = MaskLayout.of(parameter, known, shape, m, share);
        } catch (KofnException | ArithmeticException e) {
            throw bad(where, "no layout: " + e.getMessage());
        }
        if (k < 1 || k > layout.candidates()) {
            throw bad(where, "k = " + k + " is not within 1 and n = " + layout.candidates());
        }
        if ((code() == MaskCode.NONE) != (k == layout.candidates())) {
            throw bad(where, "encoding '" + encoding + "' with k = " + k + " of n = " + layout.candidates());
        }
        CompactEntry derived = of(parameter, layout, k, code());
        if (!equals(derived)) {
            throw bad(
                    where, "its layout contradicts itself; what follows from shape, k, share and encoding: " + derived);
        }
        return layout;
    }

    private void requireSmall(Object where) {
        if (shape.length > MOST_AXES) {
            throw bad(where, "a shape of " + shape.length + " axes");
        }
        long weights = 1;
        try {
            for (long size : shape) {
                weights = size < 1 ? 0 : Math.multiplyExact(weights, size);
            }
        } catch (ArithmeticException e) {
            weights = 0;
        }
        if (weights == 0 || groups < 1 || n < 1 || groups > MOST_CANDIDATES / n) {
            throw bad(
                    where, "shape " + Arrays.toString(shape) + " with " + groups + " groups of " + n + " is no weight");
        }
    }

    private KofnException bad(Object where, String reason) {
        return KofnException.file("%s: pruned tensor %s: %s", where, parameter, reason);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CompactEntry that && toString().equals(that.toString());
    }

    @Override
    public int hashCode() {
        return toString().hashCode();
    }

    @Override
    public String toString() {
        return String.format(
                "%s %s shape %s share %d view %s axes %s group_axes %d groups %d n %d k %d elements %d %s/%d in %s, %s",
                parameter,
                granularity,
                Arrays.toString(shape),
                share,
                Arrays.toString(view),
                Arrays.toString(axes),
                groupAxes,
                groups,
                n,
                k,
                elements,
                encoding,
                indexBits,
                values,
                mask);
    }
}
