package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.kernels.Precision;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.torch.Tensors;

/** The plans of layers on a GPU, or emulated, against the dense layer in double precision. */
class CudaPlansTest {
    private final Random random = new Random(1);

    /** k random inputs for each group of outputs. */
    private KeptKernels lists(int inputs, int outputs, int share, int k) {
        int[][] lists = new int[outputs / share][];
        Arrays.setAll(
                lists,
                group -> random.ints(0, inputs).distinct().limit(k).sorted().toArray());
        return new KeptKernels(share, inputs, lists);
    }

    /** Two of every four inputs, at places of each output's own. */
    private KeptKernels twoOfFour(int inputs, int outputs) {
        int[][] lists = new int[outputs][];
        Arrays.setAll(lists, output -> random.ints(0, inputs / 4)
                .distinct()
                .limit(inputs / 4)
                .sorted()
                .flatMap(four ->
                        random.ints(4 * four, 4 * four + 4).distinct().limit(2).sorted())
                .toArray());
        return new KeptKernels(1, inputs, lists);
    }

    private static Weights weights(KeptKernels kept, long... shape) {
        long taps = Arrays.stream(shape).skip(2).reduce(1, (a, b) -> a * b);
        return Weights.listed(shape, kept, torch.randn(kept.size(), taps));
    }

    private Op.Conv conv(Window window, KeptKernels kept, String residual) {
        Weights weights = weights(kept, kept.outputs(), kept.inputs(), window.height(), window.width());
        Epilogue epilogue = new Epilogue(residual, Epilogue.Rectifier.RELU);
        return new Op.Conv("conv", "input", window, 1, weights, torch.randn(kept.outputs()), epilogue);
    }

    private Op.Linear linear(KeptKernels kept) {
        Weights weights = weights(kept, kept.outputs(), kept.inputs());
        return new Op.Linear("fc", "input", weights, torch.randn(kept.outputs()), Epilogue.NONE);
    }

    /**
     * What came out for a layer.
     *
     * @param error the largest, as a part of the largest result in double precision
     * @param kernel what computed it
     */
    private record Outcome(double error, String kernel) {}

    /** Runs a layer twice, and compares bits, and both with double precision. A residual is in the output's place. */
    private static Outcome run(Op.Weighted op, Shape image, int batch, Precision precision) {
        try (PointerScope scope = new PointerScope();
                CudaBackend backend = CudaBackends.of(precision);
                Session session = backend.begin()) {
            Buffer input = Buffer.plain("input", image, batch, precision);
            Shape features = op.output(List.of(image));
            Buffer output = Buffer.plain("output", features, batch, precision);
            Tensor x = torch.randn(batch, image.channels(), image.height(), image.width())
                    .to(CudaBackends.DEVICE, precision.type());
            Tensor residual = torch.randn(batch, features.channels(), features.height(), features.width())
                    .to(CudaBackends.DEVICE, precision.type());
            try (NativePlan plan = op instanceof Op.Conv conv
                    ? backend.convolution(conv, input, output)
                    : backend.linear((Op.Linear) op, batch)) {
                Tensor y = run(op, plan, x, residual, session);
                assertThat(Tensors.bytes(run(op, plan, x, residual, session))).isEqualTo(Tensors.bytes(y));
                assertThat(plan.workspaceBytes()).isZero();
                assertThat(plan.bytes())
                        .isGreaterThanOrEqualTo(op.weights().held().numel() * precision.bytes());
                Tensor expected = TorchOps.run(exact(op, precision), List.of(exact(x, op), exact(residual, op)));
                return new Outcome(Trained.error(exact(y, op).view_as(expected), expected), plan.describe());
            }
        }
    }

    private static Tensor run(Op.Weighted op, NativePlan plan, Tensor x, Tensor residual, Session session) {
        Tensor y = residual.clone();
        FloatPointer to = new FloatPointer(y.data_ptr());
        FloatPointer added = op.epilogue().residual() == null ? null : to;
        plan.run(new FloatPointer(x.data_ptr()), to, added, null, session.stream());
        return y;
    }

    private static Tensor exact(Tensor values, Op op) {
        Tensor host = values.cpu().to(ScalarType.Double);
        return op instanceof Op.Linear ? host.flatten(1, -1) : host;
    }

    /** The layer with the weights that the kernel has, in double precision. */
    private static Op exact(Op.Weighted op, Precision precision) {
        Tensor weights = op.weights().dense().to(precision.type()).to(ScalarType.Double);
        return op.with(Weights.dense(weights), op.bias().to(ScalarType.Double));
    }

    /** Rounding of a product and of what is stored, in parts of the largest result. */
    private static double bound(Precision precision) {
        return switch (precision) {
            case FP32 -> 1e-6;
            case TF32 -> 2e-3;
            case BF16 -> 8e-3;
        };
    }

    @ParameterizedTest(name = "{0}x{1} {2}, {3} of {4}, share {5}, batch {6}, {7}")
    @CsvSource({
        "3, 3, 1,  6, 16,  1,  1, FP32, direct",
        "3, 1, 2,  5,  9,  4,  3, FP32, direct",
        "1, 1, 1,  8, 32,  1,  2, TF32, direct",
        "3, 3, 2,  8, 20, 16,  2, TF32, gathered",
        "3, 3, 1,  4, 12,  1,  2, BF16, direct",
        "1, 1, 1, 12, 24, 32,  4, BF16, gathered",
    })
    void convolutions(int rows, int columns, int stride, int k, int n, int share, int batch, Precision of, String by) {
        torch.manual_seed(1);
        try (PointerScope scope = new PointerScope()) {
            Window window = new Window(rows, columns, stride, stride, rows / 2, columns / 2, 1, 1);
            for (String residual : new String[] {null, "residual"}) {
                Op.Conv op = conv(window, lists(n, 2 * Math.max(share, 8), share, k), residual);
                Outcome outcome = run(op, new Shape(n, 9, 7), batch, of);
                assertThat(outcome.kernel()).startsWith(by + " ");
                assertThat(outcome.error()).isLessThan(bound(of));
            }
        }
    }

    @ParameterizedTest(name = "{0} of {1}, share {2}, batch {3}, {4}")
    @CsvSource({
        " 10, 300,  1,  1, FP32, 1 image",
        "100, 300,  1,  1, FP32, 1 image",
        " 20, 100,  2, 20, FP32, 32 images",
        " 20, 100,  1,  3, TF32, 4 images",
        " 20, 100, 16,  3, TF32, gathered",
        " 20, 100,  1,  2, BF16, 2 images",
        " 20, 100, 32, 20, BF16, gathered",
    })
    void linearLayers(int k, int n, int share, int batch, Precision of, String by) {
        torch.manual_seed(2);
        try (PointerScope scope = new PointerScope()) {
            Outcome outcome = run(linear(lists(n, 64, share, k)), Shape.features(n), batch, of);
            assertThat(outcome.kernel()).startsWith(by);
            assertThat(outcome.error()).isLessThan(bound(of));
        }
    }

    /**
     * Sparse tensor cores where every output keeps two of every four; in fp32, and for other lists, the usual kernels.
     */
    @ParameterizedTest(name = "{0}")
    @CsvSource({"TF32", "BF16"})
    void twoOfEveryFourRunOnSparseTensorCores(Precision of) {
        torch.manual_seed(3);
        try (PointerScope scope = new PointerScope()) {
            KeptKernels kept = twoOfFour(36, 24);
            Outcome linear = run(linear(kept), Shape.features(36), 5, of);
            assertThat(linear.kernel()).startsWith("2:4 ");
            assertThat(linear.error()).isLessThan(bound(of));
            Outcome conv = run(conv(Window.square(1, 1, 0), kept, "residual"), new Shape(36, 3, 5), 2, of);
            assertThat(conv.kernel()).startsWith("2:4 ");
            assertThat(conv.error()).isLessThan(bound(of));
            assertThat(run(conv(Window.square(1, 2, 0), kept, null), new Shape(36, 3, 5), 2, of)
                            .kernel())
                    .startsWith("direct ");
            assertThat(run(linear(kept), Shape.features(36), 5, Precision.FP32).kernel())
                    .doesNotContain("2:4");
        }
    }

    @Test
    void theDefaultRuleKnowsTensorCores() {
        LayerShape single = new LayerShape(64, 64, 14, 14, Window.square(3, 1, 1), 1);
        LayerShape shared = new LayerShape(64, 64, 14, 14, Window.square(3, 1, 1), 64);
        LayerShape linear = new LayerShape(64, 64, 1, 1, null, 1);
        Dispatch rule = DispatchTable.none();
        for (Precision precision : Precision.values()) {
            double alone = rule.of(new LayerCase(single, 8, 0, precision)).density();
            double together = rule.of(new LayerCase(shared, 8, 0, precision)).density();
            assertThat(alone).isBetween(0.05, 0.5);
            assertThat(together).isEqualTo(0.5);
            assertThat(alone < together).isEqualTo(precision != Precision.FP32);
            assertThat(rule.of(new LayerCase(linear, 1, 0, precision)).density())
                    .isGreaterThan(
                            rule.of(new LayerCase(linear, 64, 0, precision)).density());
        }
    }
}
