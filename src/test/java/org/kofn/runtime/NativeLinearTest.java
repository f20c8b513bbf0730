package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.Precision;
import org.kofn.torch.Tensors;

/** The plan of a linear layer against the dense layer in double precision. */
class NativeLinearTest {
    @BeforeEach
    void built() {
        assumeThat(NativeLibrary.sparse().loads()).isTrue();
    }

    /** k random inputs for each group of outputs. */
    private static KeptKernels lists(Random random, int inputs, int groups, int share, int k) {
        int[][] lists = new int[groups][];
        Arrays.setAll(
                lists,
                group -> random.ints(0, inputs).distinct().limit(k).sorted().toArray());
        return new KeptKernels(share, inputs, lists);
    }

    /** A layer whose weight is zero where no list leads; with {@code kept} null, nowhere. */
    private static Op.Linear layer(int inputs, int outputs, KeptKernels kept, Epilogue.Rectifier rectifier) {
        float[] weight = Tensors.floats(torch.randn(outputs, inputs));
        if (kept != null) {
            for (int output = 0; output < outputs; output++) {
                int[] list = kept.indices()[output / kept.share()];
                for (int input = 0; input < inputs; input++) {
                    if (Arrays.binarySearch(list, input) < 0) {
                        weight[output * inputs + input] = 0;
                    }
                }
            }
        }
        Tensor dense = Tensors.of(weight, outputs, inputs);
        Weights weights = kept == null ? Weights.dense(dense) : Weights.listed(dense, kept);
        return new Op.Linear("fc", "input", weights, torch.randn(outputs), Epilogue.NONE.then(rectifier));
    }

    private static Tensor run(Op.Linear op, Tensor x, int threads) {
        int batch = Math.toIntExact(x.size(0));
        Tensor y = torch.full(new long[] {batch, op.outputs()}, new Scalar(Double.NaN));
        try (NativeLinear plan = new NativeLinear(op, batch, Precision.FP32, threads)) {
            long floats = plan.workspaceBytes() / Float.BYTES;
            FloatPointer scratch =
                    floats == 0 ? null : torch.empty(new long[] {floats}).data_ptr_float();
            plan.run(x.data_ptr_float(), y.data_ptr_float(), null, scratch, null);
        }
        return y;
    }

    /** The largest error as a part of what rounding may do: c·ε·√k·Σ|w||x|, c = 4. */
    private static double error(Op.Linear op, Tensor x, Tensor actual) {
        Tensor exact = x.to(ScalarType.Double);
        Tensor weight = op.weights().dense().to(ScalarType.Double);
        Tensor bias = op.bias().to(ScalarType.Double);
        Tensor expected = TorchOps.rectify(
                torch.linear(exact, weight, new TensorOptional(bias)),
                op.epilogue().rectifier());
        Tensor magnitude = torch.linear(exact.abs(), weight.abs(), new TensorOptional(bias.abs()));
        int k = op.kept() == null ? op.weights().inputs() : op.kept().longest();
        Tensor bound = magnitude.mul(new Scalar(4 * Math.ulp(1f) * Math.sqrt(k + 2.0)));
        return actual.to(ScalarType.Double).sub(expected).abs().div(bound).max().item_double();
    }

    @ParameterizedTest(name = "{0} to {1}, share {2}, k {3}, batch {4}, {5}")
    @CsvSource({
        "784, 300, 1, 12, 1, RELU",
        "784, 300, 1, 98, 32, RELU",
        "300, 100, 1, 300, 3, RELU6",
        "100, 10, 1, 1, 33, NONE",
        "1, 1, 1, 1, 1, NONE",
        "97, 35, 7, 13, 5, RELU",
        "512, 128, 64, 128, 1, NONE",
        "512, 128, 64, 128, 17, RELU6"
    })
    void sameAsInDoublePrecision(int inputs, int outputs, int share, int k, int batch, Epilogue.Rectifier rectifier) {
        torch.manual_seed(1);
        try (PointerScope scope = new PointerScope()) {
            KeptKernels kept = lists(new Random(1), inputs, outputs / share, share, k);
            Op.Linear op = layer(inputs, outputs, kept, rectifier);
            Tensor x = torch.randn(batch, inputs);
            Tensor y = run(op, x, 1);
            assertThat(error(op, x, y)).isLessThan(1);
            assertThat(Tensors.bytes(run(op, x, 2))).isEqualTo(Tensors.bytes(y));
        }
    }

    @Test
    void withoutListsAllIsKept() {
        torch.manual_seed(2);
        try (PointerScope scope = new PointerScope()) {
            Op.Linear op = layer(65, 33, null, Epilogue.Rectifier.NONE);
            for (int batch : new int[] {1, 20}) {
                Tensor x = torch.randn(batch, 65);
                assertThat(error(op, x, run(op, x, 1))).isLessThan(1);
            }
        }
    }

    /** Where feature maps were removed, lists are of several lengths, and may be empty. */
    @Test
    void shorterListsAreFilledUp() {
        torch.manual_seed(3);
        try (PointerScope scope = new PointerScope()) {
            KeptKernels kept = new KeptKernels(1, 9, new int[][] {{0, 8}, {}, {1, 2, 3, 7}, {4}});
            KeptKernels none = new KeptKernels(2, 9, new int[][] {{}, {}});
            for (KeptKernels lists : List.of(kept, none)) {
                Op.Linear op = layer(9, 4, lists, Epilogue.Rectifier.NONE);
                Tensor x = torch.randn(6, 9);
                assertThat(error(op, x, run(op, x, 1))).isLessThan(1);
            }
        }
    }

    /** An image's result is the same in every batch, bit for bit. */
    @Test
    void bitsDoNotDependOnTheBatch() {
        torch.manual_seed(4);
        try (PointerScope scope = new PointerScope()) {
            Op.Linear op = layer(400, 50, lists(new Random(4), 400, 50, 1, 40), Epilogue.Rectifier.RELU);
            Tensor x = torch.randn(40, 400);
            List<byte[]> first = new ArrayList<>();
            for (int batch : new int[] {1, 7, 40}) {
                Tensor y = run(op, x.narrow(0, 0, batch), 1);
                first.add(Tensors.bytes(y.narrow(0, 0, 1).clone()));
            }
            assertThat(first.get(1)).isEqualTo(first.get(0));
            assertThat(first.get(2)).isEqualTo(first.get(0));
        }
    }
}
