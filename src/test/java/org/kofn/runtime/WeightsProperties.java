package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Precision;
import org.kofn.torch.Tensors;

/** Kept kernels alone give what the dense weight with zeros gives. */
class WeightsProperties {
    @Property(tries = 200)
    void keptKernelsStandForTheDenseWeight(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 4) int groups,
            @ForAll @IntRange(min = 1, max = 3) int share,
            @ForAll @IntRange(min = 1, max = 9) int inputs,
            @ForAll @IntRange(min = 0, max = 3) int window) {
        Random random = new Random(seed);
        KeptKernels kept = lists(random, groups, share, inputs);
        long outputs = kept.outputs();
        long[] shape = window == 0 ? new long[] {outputs, inputs} : new long[] {outputs, inputs, window, 2};
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(seed);
            Weights whole = Weights.dense(masked(torch.randn(shape), kept));
            Weights listed = Weights.listed(whole.held(), kept);
            assertThat(listed.held().numel()).isEqualTo(kept.size() * Math.max(1L, window * 2L));
            assertThat(listed.reads()).isEqualTo(whole.reads());

            Tensor constants = torch.randn(new long[] {inputs}, new TensorOptions(ScalarType.Double));
            Tensor sums = whole.sums(constants);
            assertThat(listed.sums(constants).sub(sums).abs().max().item_double())
                    .isLessThan(1e-12);

            Tensor scale = torch.randn(new long[] {outputs}, new TensorOptions(ScalarType.Double));
            int[] outputsLeft = some(random, (int) outputs);
            int[] inputsLeft = some(random, inputs);
            Weights expected = whole.scaled(scale).select(outputsLeft, inputsLeft);
            Weights actual = listed.scaled(scale).select(outputsLeft, inputsLeft);
            assertThat(actual.shape()).containsExactly(expected.shape());
            Tensor kernels = actual.kernels();
            same(actual.dense(), expected.dense());
            same(actual.kernels(), kernels);
        }
    }

    /** In bf16 half as much is held, and everything that is made of it is of the rounded weights. */
    @Property(tries = 50)
    void storedWeightsAreRounded(@ForAll long seed, @ForAll boolean lists) {
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(seed);
            KeptKernels kept = lists(new Random(seed), 3, 2, 8);
            Tensor dense = masked(torch.randn(6, 8, 3, 3), kept);
            Weights whole = lists ? Weights.listed(dense, kept) : Weights.dense(dense);
            Weights half = whole.stored(Precision.BF16);
            assertThat(2 * half.held().nbytes()).isEqualTo(whole.held().nbytes());
            assertThat(half.reads()).isEqualTo(whole.reads());
            same(half.floats(), Rounded.rounded(whole.held()));
            same(half.dense(), Rounded.rounded(dense));
            same(half.floats(), half.dense());
        }
    }

    /** Unfolding replaces the list form: the weights are held once. */
    @Property(tries = 20)
    void unfoldedWeightsAreHeldOnce(@ForAll long seed) {
        try (PointerScope scope = new PointerScope()) {
            KeptKernels kept = lists(new Random(seed), 3, 1, 8);
            Tensor dense = masked(torch.randn(3, 8, 3, 3), kept);
            Weights weights = Weights.listed(dense, kept);
            Tensor list = weights.held();
            same(weights.dense(), dense);
            assertThat(list.isNull()).as("the list form is freed").isTrue();
            assertThat(weights.held()).isSameAs(weights.dense());
        }
    }

    private static KeptKernels lists(Random random, int groups, int share, int inputs) {
        int[][] lists = new int[groups][];
        Arrays.setAll(lists, group -> some(random, inputs));
        return new KeptKernels(share, inputs, lists);
    }

    /** At least one of so many, ascending. */
    private static int[] some(Random random, int count) {
        int one = random.nextInt(count);
        return IntStream.range(0, count)
                .filter(i -> i == one || random.nextBoolean())
                .toArray();
    }

    private static Tensor masked(Tensor weight, KeptKernels kept) {
        Tensor mask = torch.zeros((long) kept.outputs() * kept.inputs());
        mask.index_fill_(0, Tensors.indices(kept.places()), new Scalar(1.0));
        long[] perKernel = Tensors.shape(weight);
        Arrays.fill(perKernel, 2, perKernel.length, 1);
        return weight.mul(mask.view(perKernel));
    }

    private static void same(Tensor actual, Tensor expected) {
        assertThat(Tensors.shape(actual)).containsExactly(Tensors.shape(expected));
        assertThat(Tensors.bytes(actual.add(new Scalar(0.0))))
                .as("bits, but for the sign of zeros")
                .isEqualTo(Tensors.bytes(expected.add(new Scalar(0.0))));
    }
}
