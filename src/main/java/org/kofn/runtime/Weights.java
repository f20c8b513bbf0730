package org.kofn.runtime;

import java.util.Arrays;
import java.util.BitSet;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Precision;
import org.kofn.torch.Tensors;

/**
 * The weights of a convolution or linear layer, fp32 or bf16 on the CPU, held once: as LibTorch has them, [O, I /
 * groups, R, S] or [O, I], or, where lists say which kernels are kept, only these, [kernels, R·S], in the order of the
 * lists and within a list's entry those of its outputs. That is how the compact file has them and how the native
 * kernels take them. A layer that LibTorch computes is unfolded when it runs first, and is then held in that form only,
 * in fp32.
 */
public final class Weights implements AutoCloseable {
    private static final Scalar ZERO = Tensors.keep(new Scalar(0.0));

    private final long[] shape;
    private final KeptKernels kept;
    private Tensor tensor;
    private boolean unfolded;

    private Weights(long[] shape, KeptKernels kept, Tensor tensor, boolean unfolded) {
        this.shape = shape;
        this.kept = kept;
        this.tensor = tensor;
        this.unfolded = unfolded;
    }

    /** All weights of a layer. */
    static Weights dense(Tensor weight) {
        return new Weights(Tensors.shape(weight), null, weight, true);
    }

    /** The same weights, rounded to what is stored. */
    Weights stored(Precision precision) {
        return precision != Precision.BF16 ? this : new Weights(shape, kept, held().to(precision.type()), false);
    }

    /**
     * Kept kernels.
     *
     * @param shape of the dense weight
     * @param values contiguous, in the order above, of any shape
     */
    static Weights listed(long[] shape, KeptKernels kept, Tensor values) {
        return new Weights(shape, kept, values.view(-1, taps(shape)), false);
    }

    /** The kernels that lists keep of a dense weight. */
    static Weights listed(Tensor weight, KeptKernels kept) {
        long[] shape = Tensors.shape(weight);
        return new Weights(shape, kept, gathered(weight, kept, taps(shape)), false);
    }

    /** Which kernels may be other than zero; null where there is no such list. */
    public KeptKernels kept() {
        return kept;
    }

    /** O. */
    public int outputs() {
        return Math.toIntExact(shape[0]);
    }

    /** I / groups. */
    public int inputs() {
        return Math.toIntExact(shape[1]);
    }

    /** The shape of the dense weight. */
    public long[] shape() {
        return shape.clone();
    }

    /** What is held; the caller neither writes into it nor closes it. */
    synchronized Tensor held() {
        return tensor;
    }

    /** The dense weight, fp32. From now on it is what is held; the caller neither writes into it nor closes it. */
    synchronized Tensor dense() {
        if (!unfolded) {
            try (PointerScope scope = new PointerScope()) {
                Tensor whole = floats();
                if (kept != null) {
                    long kernels = shape[0] * shape[1];
                    Tensor all = torch.zeros(new long[] {kernels, taps(shape)}, new TensorOptions(ScalarType.Float));
                    whole = all.index_copy_(0, places(kept), whole).view(shape);
                }
                Tensors.keep(whole);
                tensor.close();
                tensor = whole;
                unfolded = true;
            }
        }
        return tensor;
    }

    /** What is held, fp32, of the caller's scope. */
    synchronized Tensor floats() {
        return tensor.scalar_type().intern() == ScalarType.Float ? tensor.alias() : tensor.to(ScalarType.Float);
    }

    /** The kept kernels [kernels, R·S], fp32 and contiguous, of the caller's scope; only for weights with lists. */
    synchronized Tensor kernels() {
        return unfolded ? gathered(tensor, kept, taps(shape)) : floats();
    }

    /** Every output's weights multiplied with its scale, fp64 [O], in double precision and rounded once. */
    Weights scaled(Tensor scale) {
        Tensor scaled = Tensors.only(() -> {
            Tensor rows = kept == null ? floats().reshape(shape[0], -1) : kernels();
            Tensor scales = kept == null ? scale : scale.index_select(0, rowOutputs());
            return rows.to(ScalarType.Double).mul_(scales.unsqueeze(1)).to(ScalarType.Float);
        });
        return kept == null ? dense(scaled.view(shape)) : listed(shape, kept, scaled);
    }

    /** The weights between only some outputs and inputs, both ascending. */
    Weights select(int[] outputs, int[] inputs) {
        long[] smaller = shape.clone();
        smaller[0] = outputs.length;
        smaller[1] = inputs.length;
        if (kept == null) {
            return dense(Tensors.only(
                    () -> floats().index_select(0, Tensors.indices(outputs)).index_select(1, Tensors.indices(inputs))));
        }
        KeptKernels lists = kept.select(outputs, inputs);
        Tensor rows = Tensors.only(() -> kernels().index_select(0, rows(lists, outputs, inputs)));
        return new Weights(smaller, lists, rows, false);
    }

    /** What the layer makes of an image that is a constant in every input: Σ of a kernel times that, fp64 [O]. */
    Tensor sums(Tensor constants) {
        return Tensors.only(() -> {
            if (kept == null) {
                return floats().reshape(outputs(), inputs(), -1)
                        .sum(new long[] {2}, false, new ScalarTypeOptional(ScalarType.Double))
                        .mv(constants);
            }
            Tensor sums = kernels()
                    .sum(new long[] {1}, false, new ScalarTypeOptional(ScalarType.Double))
                    .mul_(constants.index_select(0, rowInputs()));
            return torch.zeros(new long[] {outputs()}, sums.options()).index_add_(0, rowOutputs(), sums);
        });
    }

    /** Whether output o reads input i, at o·inputs + i: whether that kernel is other than zero. */
    BitSet reads() {
        try (PointerScope scope = new PointerScope()) {
            Tensor rows = kept == null ? floats().reshape(shape[0] * shape[1], -1) : kernels();
            byte[] flags = Tensors.bytes(rows.ne(ZERO).any(1));
            int[] places = kept == null ? null : kept.places();
            BitSet reads = new BitSet(outputs() * inputs());
            for (int row = 0; row < flags.length; row++) {
                reads.set(places == null ? row : places[row], flags[row] != 0);
            }
            return reads;
        }
    }

    /** The rows of the kernels that are left. */
    private Tensor rows(KeptKernels left, int[] outputs, int[] inputs) {
        int[] places = Arrays.stream(left.places())
                .map(place -> outputs[place / inputs.length] * inputs() + inputs[place % inputs.length])
                .toArray();
        return Tensors.indices(kept.rows(places));
    }

    private Tensor rowOutputs() {
        return Tensors.indices(
                Arrays.stream(kept.places()).map(place -> place / inputs()).toArray());
    }

    private Tensor rowInputs() {
        return Tensors.indices(
                Arrays.stream(kept.places()).map(place -> place % inputs()).toArray());
    }

    private static Tensor gathered(Tensor weight, KeptKernels kept, long taps) {
        return Tensors.only(() -> weight.reshape(-1, taps).index_select(0, places(kept)));
    }

    private static Tensor places(KeptKernels kept) {
        return Tensors.indices(kept.places());
    }

    private static long taps(long[] shape) {
        return Arrays.stream(shape).skip(2).reduce(1, (a, b) -> a * b);
    }

    @Override
    public synchronized void close() {
        tensor.close();
    }
}
