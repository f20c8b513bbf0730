package org.kofn.runtime;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

/**
 * Which R×S kernels of a convolution are kept, or which weights of a linear layer: for every group of {@code share}
 * consecutive outputs, the inputs that it reads, ascending. All groups of a mask keep k; once feature maps have been
 * removed, some groups may keep fewer.
 *
 * @param share consecutive outputs that read the same inputs; 1 for none
 * @param inputs how many inputs there are to choose from
 * @param indices for each group, its inputs
 */
public record KeptKernels(int share, int inputs, int[][] indices) {

    /**
     * The lists of a mask.
     *
     * @return null where the mask does not keep or drop kernels as a whole (single weights of larger kernels), or whole
     *     filters (which are removed instead)
     */
    static KeptKernels of(ParameterMask pruned) {
        MaskLayout layout = pruned.layout();
        if (layout.granularity() == Granularity.FILTER) {
            return null;
        }
        try (PointerScope scope = new PointerScope()) {
            int outputs = Math.toIntExact(layout.shape()[0]);
            int inputs = Math.toIntExact(layout.shape()[1]);
            Tensor kernels =
                    layout.spread(pruned.mask().cpu()).expand(layout.view()).reshape(outputs, inputs, -1);
            byte[] any = Tensors.bytes(kernels.any(2));
            if (!Arrays.equals(any, Tensors.bytes(kernels.all(2)))) {
                return null;
            }
            int[][] indices = new int[outputs / layout.share()][];
            for (int group = 0; group < indices.length; group++) {
                indices[group] = ones(any, group * layout.share() * inputs, inputs);
            }
            return new KeptKernels(layout.share(), inputs, indices);
        }
    }

    private static int[] ones(byte[] flags, int from, int count) {
        int[] places = new int[count];
        int found = 0;
        for (int i = 0; i < count; i++) {
            if (flags[from + i] != 0) {
                places[found++] = i;
            }
        }
        return Arrays.copyOf(places, found);
    }

    /** How many outputs there are. */
    public int outputs() {
        return indices.length * share;
    }

    /** The kept part of all kernels. */
    public double density() {
        long kept = Arrays.stream(indices).mapToLong(list -> list.length).sum();
        return (double) kept / ((long) indices.length * inputs);
    }

    /** The length of the longest list: k, where no feature maps were removed. */
    public int longest() {
        return Arrays.stream(indices).mapToInt(list -> list.length).max().orElse(0);
    }

    /** Whether every output keeps two of every four consecutive inputs, as sparse tensor cores want it. */
    boolean isTwoOfFour() {
        return share == 1 && inputs % 4 == 0 && Arrays.stream(indices).allMatch(list -> isTwoOfFour(list, inputs));
    }

    private static boolean isTwoOfFour(int[] list, int inputs) {
        boolean holds = list.length == inputs / 2;
        for (int i = 0; holds && i < list.length; i++) {
            holds = list[i] / 4 == i / 2;
        }
        return holds;
    }

    /** How many kernels are kept. */
    int size() {
        return share * Arrays.stream(indices).mapToInt(list -> list.length).sum();
    }

    /** Where the kept kernels are, list by list, and for every entry of a list output by output: o·inputs + i. */
    int[] places() {
        int[] places = new int[size()];
        int at = 0;
        for (int group = 0; group < indices.length; group++) {
            for (int input : indices[group]) {
                for (int o = group * share; o < (group + 1) * share; o++) {
                    places[at++] = o * inputs + input;
                }
            }
        }
        return places;
    }

    /** The numbers that kernels have in that order; they must be kept. */
    int[] rows(int[] places) {
        int[] starts = new int[indices.length];
        for (int group = 1; group < starts.length; group++) {
            starts[group] = starts[group - 1] + indices[group - 1].length;
        }
        int[] rows = new int[places.length];
        for (int i = 0; i < rows.length; i++) {
            int output = places[i] / inputs;
            int group = output / share;
            int entry = Arrays.binarySearch(indices[group], places[i] % inputs);
            rows[i] = (starts[group] + entry) * share + output % share;
        }
        return rows;
    }

    /**
     * The lists once only some outputs and inputs are left, which are then numbered anew.
     *
     * @param outputsLeft ascending
     * @param inputsLeft ascending
     */
    KeptKernels select(int[] outputsLeft, int[] inputsLeft) {
        int[] renumbered = new int[inputs];
        Arrays.fill(renumbered, -1);
        for (int i = 0; i < inputsLeft.length; i++) {
            renumbered[inputsLeft[i]] = i;
        }
        int step = wholeGroups(outputsLeft) ? share : 1;
        List<int[]> lists = new ArrayList<>();
        for (int o = 0; o < outputsLeft.length; o += step) {
            lists.add(Arrays.stream(indices[outputsLeft[o] / share])
                    .map(input -> renumbered[input])
                    .filter(input -> input >= 0)
                    .toArray());
        }
        return new KeptKernels(step, inputsLeft.length, lists.toArray(int[][]::new));
    }

    private boolean wholeGroups(int[] outputsLeft) {
        boolean whole = outputsLeft.length % share == 0;
        for (int o = 0; whole && o < outputsLeft.length; o++) {
            whole = outputsLeft[o] == outputsLeft[o - o % share] + o % share && outputsLeft[o - o % share] % share == 0;
        }
        return whole;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof KeptKernels that
                && share == that.share
                && inputs == that.inputs
                && Arrays.deepEquals(indices, that.indices);
    }

    @Override
    public int hashCode() {
        return 31 * inputs + Arrays.deepHashCode(indices);
    }

    @Override
    public String toString() {
        return longest() + " of " + inputs + " for each of " + indices.length + " groups of " + share;
    }
}
