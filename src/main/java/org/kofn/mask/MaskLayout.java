package org.kofn.mask;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;

/**
 * How a weight tensor [O, I, R, S] (or [O, I]) is seen as G groups of n candidates of E elements each.
 *
 * <p>Every layout is a reshape of the weight followed by a permutation of axes, and nothing else: {@code view} splits
 * the weight's axes, {@code axes} orders them as group axes, the candidate axis, element axes. A mask [G, n] therefore
 * reaches the weight by a <em>transpose</em> and broadcasting. (Reshaping where a transpose is meant silently loses "k
 * per filter"; the first published code of the method did so.)
 *
 * <table><caption>The layouts</caption>
 * <tr><th>granularity</th><th>G</th><th>n</th><th>E</th></tr>
 * <tr><td>weight</td><td>O</td><td>I·R·S</td><td>1</td></tr>
 * <tr><td>kernel</td><td>O</td><td>I</td><td>R·S</td></tr>
 * <tr><td>filter</td><td>1</td><td>O</td><td>I·R·S</td></tr>
 * <tr><td>n:m</td><td>O·(I/m)·R·S</td><td>m</td><td>1</td></tr>
 * <tr><td>any, share b</td><td>G/b</td><td>n</td><td>E·b</td></tr>
 * </table>
 *
 * @param granularity what a candidate is
 * @param shape the weight's shape, two or four axes
 * @param share b consecutive outputs that share one mask; 1 for none
 * @param view the reshape of the weight
 * @param axes permutation of the axes of {@code view}: group axes, then the candidate axis, then element axes
 * @param groupAxes how many of {@code axes} number the groups
 */
public record MaskLayout(Granularity granularity, long[] shape, int share, long[] view, int[] axes, int groupAxes) {

    /** Checks that the view covers the weight and that {@code axes} is a permutation of it. */
    public MaskLayout {
        if (product(view, 0, view.length) != product(shape, 0, shape.length) || axes.length != view.length) {
            throw new IllegalArgumentException("a mask layout must cover its weight");
        }
        int[] sorted = axes.clone();
        Arrays.sort(sorted);
        for (int i = 0; i < sorted.length; i++) {
            if (sorted[i] != i) {
                throw new IllegalArgumentException("axes must be a permutation");
            }
        }
    }

    /**
     * The layout of a layer.
     *
     * @param layer the layer's name, for errors
     * @param granularity what a candidate is
     * @param shape the weight's shape, [O, I] or [O, I, R, S]
     * @param m the group size of n:m; ignored otherwise
     * @param share b consecutive outputs that share one mask; 1 for none
     * @throws KofnException (usage) naming the layer when m or b does not divide, or the granularity needs a
     *     convolution
     */
    public static MaskLayout of(String layer, Granularity granularity, long[] shape, int m, int share) {
        if (shape.length != 2 && shape.length != 4) {
            throw KofnException.usage(
                    "layer %s: only weights with 2 or 4 axes can be pruned, this one has %d", layer, shape.length);
        }
        long o = shape[0];
        long i = shape[1];
        long rs = product(shape, 2, shape.length);
        if (share < 1) {
            throw KofnException.usage("layer %s: share must be at least 1, not %d", layer, share);
        }
        if (granularity == Granularity.FILTER && share > 1) {
            throw KofnException.usage(
                    "layer %s: filters form one group, so there is nothing to share; leave out 'share'", layer);
        }
        if (o % share != 0) {
            throw KofnException.usage(
                    "layer %s: share: %d does not divide its %d outputs; take a divisor of %d", layer, share, o, o);
        }
        long g = o / share;
        return switch (granularity) {
            case WEIGHT ->
                new MaskLayout(granularity, shape, share, new long[] {g, share, i * rs}, new int[] {0, 2, 1}, 1);
            case KERNEL -> {
                if (shape.length != 4) {
                    throw KofnException.usage(
                            "layer %s: granularity kernel needs a convolution; use weight for a linear layer", layer);
                }
                yield new MaskLayout(
                        granularity, shape, share, new long[] {g, share, i, rs}, new int[] {0, 2, 1, 3}, 1);
            }
            case FILTER -> new MaskLayout(granularity, shape, 1, new long[] {1, o, i * rs}, new int[] {0, 1, 2}, 1);
            case N_M -> {
                if (m < 1 || i % m != 0) {
                    throw KofnException.usage(
                            "layer %s: groups of %d do not divide its %d input channels; take a divisor of %d, or keep: all",
                            layer, m, i, i);
                }
                yield new MaskLayout(
                        granularity, shape, share, new long[] {g, share, i / m, m, rs}, new int[] {0, 2, 4, 3, 1}, 3);
            }
        };
    }

    /** G: the number of groups; in each, exactly k candidates stay. */
    public long groups() {
        long g = 1;
        for (int a = 0; a < groupAxes; a++) {
            g *= view[axes[a]];
        }
        return g;
    }

    /** n: the number of candidates in a group. */
    public long candidates() {
        return view[axes[groupAxes]];
    }

    /** E: the number of weights that one candidate stands for. */
    public long elements() {
        return product(shape, 0, shape.length) / (groups() * candidates());
    }

    /** The size of the axis that stands at this place of {@link #axes()}. */
    public long size(int place) {
        return view[axes[place]];
    }

    /** How many weights apart neighbours lie in memory along the axis at this place of {@link #axes()}. */
    public long stride(int place) {
        return product(view, axes[place] + 1, view.length);
    }

    /**
     * A mask or any value per candidate, spread so that it broadcasts over {@code weight.view(view)}.
     *
     * @param perCandidate [G, n]
     * @return a view with the axes of {@link #view()}, element axes of size one; shares memory with the argument
     */
    public Tensor spread(Tensor perCandidate) {
        long[] permuted = new long[axes.length];
        long[] inverse = new long[axes.length];
        for (int a = 0; a < axes.length; a++) {
            permuted[a] = a <= groupAxes ? view[axes[a]] : 1;
            inverse[axes[a]] = a;
        }
        return perCandidate.view(permuted).permute(inverse);
    }

    /**
     * The sum of a weight-shaped tensor over the elements of each candidate.
     *
     * @param values of {@link #shape()}
     * @return [G, n], contiguous
     */
    public Tensor reduce(Tensor values) {
        Tensor split =
                values.view(view).permute(Arrays.stream(axes).asLongStream().toArray());
        return split.reshape(groups(), candidates(), elements()).sum(2);
    }

    /**
     * A weight of kept values, +0.0 elsewhere.
     *
     * @param mask boolean [G, n], with k ones in every group
     * @param values [G, k, E], candidates ascending
     * @return of {@link #shape()} and the values' type, contiguous
     */
    public Tensor unfold(Tensor mask, Tensor values) {
        long[] permuted = new long[axes.length];
        long[] inverse = new long[axes.length];
        for (int a = 0; a < axes.length; a++) {
            permuted[a] = view[axes[a]];
            inverse[axes[a]] = a;
        }
        long[] all = {groups(), candidates(), elements()};
        Tensor dense = torch.zeros(all, values.options()).masked_scatter_(mask.unsqueeze(2), values);
        return dense.view(permuted).permute(inverse).contiguous().view(shape);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof MaskLayout that
                && granularity == that.granularity
                && share == that.share
                && groupAxes == that.groupAxes
                && Arrays.equals(shape, that.shape)
                && Arrays.equals(view, that.view)
                && Arrays.equals(axes, that.axes);
    }

    @Override
    public int hashCode() {
        return 31 * granularity.hashCode() + Arrays.hashCode(view);
    }

    @Override
    public String toString() {
        return granularity.label() + " [" + groups() + " groups, " + candidates() + " candidates, " + elements()
                + " elements]";
    }

    private static long product(long[] sizes, int from, int to) {
        long p = 1;
        for (int a = from; a < to; a++) {
            p *= sizes[a];
        }
        return p;
    }
}
