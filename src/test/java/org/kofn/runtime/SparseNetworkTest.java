package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
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
import org.kofn.mask.Granularity;
import org.kofn.nn.Initialisation;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;

class SparseNetworkTest {
    @BeforeEach
    void built() {
        assumeThat(NativeLibrary.sparse().loads()).isTrue();
    }

    private static Trained trained(String model, Shape input) {
        return new Trained(Zoo.build(model, input, 10), 7).pruneAll(Granularity.KERNEL, 0.25);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "lenet-300-100, 1, 28",
        "lenet-5, 1, 28",
        "vgg16-bn, 3, 32",
        "resnet-56, 3, 16",
        "resnet-18, 3, 72",
        "resnet-50, 3, 32"
    })
    void sameScoresAsTheModule(String model, int channels, int size) {
        try (PointerScope scope = new PointerScope();
                Trained trained = trained(model, new Shape(channels, size, size));
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 2)) {
            for (int batch : new int[] {1, 3, 16}) {
                Tensor images = trained.images(batch);
                assertThat(Trained.error(sparse.forward(images), trained.module.forward(images)))
                        .as("batch %d", batch)
                        .isLessThan(1e-5);
            }
        }
    }

    /** Weights and values in bf16: against the same network in fp32, and against what rounding alone explains. */
    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "lenet-300-100, 1, 28",
        "lenet-5, 1, 28",
        "vgg16-bn, 3, 32",
        "resnet-56, 3, 16",
        "resnet-18, 3, 72",
        "resnet-50, 3, 32"
    })
    void sameClassesInBf16(String model, int channels, int size) {
        try (PointerScope scope = new PointerScope();
                Trained trained = trained(model, new Shape(channels, size, size));
                PreparedNetwork full = trained.prepare();
                PreparedNetwork half = trained.prepare(Precision.BF16);
                SparseNetwork fp32 = new SparseNetwork(full, 2);
                SparseNetwork bf16 = new SparseNetwork(half, 2)) {
            assertThat((double) half.graph().bytes() / full.graph().bytes()).isBetween(0.5, 0.55);
            for (int batch : new int[] {1, 3, 16}) {
                Tensor images = trained.images(batch);
                Tensor expected = fp32.forward(images);
                Tensor scores = bf16.forward(images);
                double rounding = Trained.error(Rounded.scores(half.graph(), images), expected);
                assertThat(Trained.error(scores, expected))
                        .as("batch %d", batch)
                        .isLessThan(3 * rounding);
                assertThat(rounding).as("batch %d", batch).isBetween(0x1p-12, 0x1p-5);
                assertThat(classes(scores).eq(classes(expected)).sum().item_long())
                        .as("same classes")
                        .isGreaterThanOrEqualTo(batch - batch / 4);
            }
            assertThat(bf16.layers(16)).anyMatch(layer -> layer.contains(": sparse, ") && layer.contains(", bf16, "));
            assertThat((double) bf16.weightBytes(16) / fp32.weightBytes(16)).isLessThan(0.7);
            if (size > 28) {
                assertThat((double) bf16.workspaceBytes(16) / fp32.workspaceBytes(16))
                        .isLessThan(0.6);
            }
        }
    }

    private static Tensor classes(Tensor scores) {
        return scores.argmax(new LongOptional(1), false);
    }

    /** Where the kernels compute all, neither threads nor the batch that an image is in change a bit. */
    @Test
    void inBf16BitsDependNeitherOnThreadsNorOnTheBatch() {
        try (PointerScope scope = new PointerScope();
                Trained trained = trained("resnet-20", new Shape(3, 32, 32));
                PreparedNetwork prepared = trained.prepare(Precision.BF16);
                SparseNetwork one = new SparseNetwork(prepared, 1, Dispatch.at(1));
                SparseNetwork two = new SparseNetwork(prepared, 2, Dispatch.at(1))) {
            Tensor images = trained.images(33);
            byte[] scores = Tensors.bytes(one.forward(images));
            assertThat(one.layers(16)).noneMatch(layer -> layer.contains("LibTorch"));
            assertThat(Tensors.bytes(two.forward(images))).isEqualTo(scores);
            byte[] last = Tensors.bytes(two.forward(images.narrow(0, 32, 1)));
            assertThat(last).isEqualTo(Arrays.copyOfRange(scores, 32 * last.length, 33 * last.length));
        }
    }

    private static Layer conv(String name, String input, int size) {
        return new Layer.Conv2d(name, input, 4, 4, Window.square(size, 1, size / 2), 1, true);
    }

    /**
     * Residuals that the convolution reads itself, that are read later, and that need a halo which the sum does not.
     */
    @Test
    void residualsOfEveryKind() {
        List<Layer> layers = List.of(
                conv("a", "input", 3),
                conv("b", "a", 3),
                new Layer.Add("s1", List.of("b", "a")),
                conv("c", "s1", 3),
                conv("d", "c", 1),
                new Layer.Add("s2", List.of("d", "s1")),
                conv("e", "s1", 3),
                new Layer.Add("s3", List.of("e", "s2")),
                conv("f", "s2", 5),
                new Layer.Concat("all", List.of("s3", "f")),
                new Layer.AdaptiveAvgPool2d("pool", "all", 2, 2),
                new Layer.Flatten("flatten", "pool"),
                new Layer.Linear("fc", "flatten", 32, 5, true));
        Network network = new Network("residuals", new Shape(4, 9, 9), 5, Initialisation.PYTORCH, layers);
        try (PointerScope scope = new PointerScope();
                Trained trained = new Trained(network, 1);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 1, Dispatch.at(1))) {
            assertThat(prepared.graph().ops()).as("all sums are fused").hasSize(10);
            for (int batch : new int[] {1, 2, 16, 1, 16}) {
                Tensor images = trained.images(batch);
                assertThat(Trained.error(sparse.forward(images), trained.module.forward(images)))
                        .as("batch %d", batch)
                        .isLessThan(1e-5);
            }
        }
    }

    @Test
    void saysWhatRunsWhere() {
        Network network = Zoo.build("digits-cnn", new Shape(1, 8, 8), 10);
        try (Trained trained = new Trained(network, 1)
                        .prune("conv2", Granularity.KERNEL, 1, 4)
                        .prune("fc1", Granularity.WEIGHT, 1, 64);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 1)) {
            List<String> single = sparse.layers(1);
            assertThat(single).hasSize(5);
            assertThat(single.get(0))
                    .startsWith(
                            "conv1: dense in the sparse kernel, density 1.00, break-even density 1.00 (default rule), ");
            assertThat(single.get(1))
                    .startsWith("conv2: sparse, density 0.250, break-even density 0.60 (default rule), ");
            assertThat(single.get(2)).isEqualTo("pool: pooling kernel");
            assertThat(single.get(3))
                    .startsWith("fc1: sparse, density 0.125, break-even density 0.60 (default rule), single of ");
            assertThat(single.get(4))
                    .startsWith(
                            "fc2: dense in the sparse kernel, density 1.00, break-even density 1.00 (default rule), single of ");
            assertThat(sparse.layers(32).get(3)).contains(" (default rule), images, ");
        }
    }

    /** Every layer keeps single weights; against the same network in double precision. */
    @Test
    void linearLayersWithExactlyKWeightsForEveryNeuron() {
        Network network = Zoo.build("lenet-300-100", new Shape(1, 28, 28), 10);
        try (PointerScope scope = new PointerScope();
                Trained trained = new Trained(network, 3)
                        .prune("fc1", Granularity.WEIGHT, 1, 12)
                        .prune("fc2", Granularity.WEIGHT, 4, 15)
                        .prune("fc3", Granularity.WEIGHT, 1, 30);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 2)) {
            for (int batch : new int[] {1, 3, 32, 33}) {
                assertThat(sparse.layers(batch))
                        .hasSize(3)
                        .allMatch(layer -> layer.matches("fc\\d: sparse, density .* lists, fp32, .*"));
                Tensor images = trained.images(batch);
                Tensor scores = sparse.forward(images);
                assertThat(Trained.error(scores.to(ScalarType.Double), lenet(trained, images)))
                        .as("batch %d", batch)
                        .isLessThan(1e-6);
                assertThat(Tensors.bytes(sparse.forward(images))).isEqualTo(Tensors.bytes(scores));
            }
            assertThat(sparse.weightBytes(1))
                    .isLessThanOrEqualTo(6 * (304 * 12 + 112 * 15 + 16 * 30) + 4 * (304 + 112 + 16));
        }
    }

    private static Tensor lenet(Trained trained, Tensor images) {
        Tensor x = images.flatten(1, -1).to(ScalarType.Double);
        for (String layer : List.of("fc1", "fc2", "fc3")) {
            Tensor weight = trained.tensors.get(layer + ".weight").to(ScalarType.Double);
            Tensor bias = trained.tensors.get(layer + ".bias").to(ScalarType.Double);
            Tensor sums = torch.linear(x, weight, new TensorOptional(bias));
            x = layer.equals("fc3") ? sums : sums.relu();
        }
        return x;
    }

    @Test
    void measurementsDecide() {
        Network network = Zoo.build("digits-cnn", new Shape(1, 8, 8), 10);
        try (Trained trained = new Trained(network, 1).prune("conv2", Granularity.KERNEL, 1, 4);
                PreparedNetwork prepared = trained.prepare()) {
            for (double breakEven : new double[] {0.09, 0.25}) {
                Dispatch dispatch = layer -> new BreakEven(layer.layer().inputs() == 16 ? breakEven : 0, "measured");
                try (SparseNetwork sparse = new SparseNetwork(prepared, 1, dispatch)) {
                    List<String> layers = sparse.layers(1);
                    assertThat(layers.get(0))
                            .isEqualTo("conv1: dense, density 1.00, break-even density 0.00 (measured), LibTorch");
                    assertThat(layers.get(1))
                            .startsWith(
                                    breakEven < 0.25
                                            ? "conv2: dense, density 0.250, break-even density 0.09 (measured), LibTorch"
                                            : "conv2: sparse, density 0.250, break-even density 0.25 (measured), ");
                }
            }
        }
    }

    /** Many threads, three sizes of batch: every result is that of the same call alone, bit for bit. */
    @Test
    void inferencesAtTheSameTimeDoNotDisturbEachOther() throws Exception {
        try (PointerScope scope = new PointerScope();
                Trained trained = trained("resnet-20", new Shape(3, 16, 16));
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 1)) {
            int[] batches = {1, 2, 16};
            List<Tensor> images = new ArrayList<>();
            List<byte[]> expected = new ArrayList<>();
            for (int batch : batches) {
                images.add(trained.images(batch));
                expected.add(Tensors.bytes(sparse.forward(images.get(images.size() - 1))));
            }
            ExecutorService pool = Executors.newFixedThreadPool(6);
            List<Future<byte[]>> results = new ArrayList<>();
            for (int call = 0; call < 90; call++) {
                Tensor batch = images.get(call % 3);
                results.add(pool.submit(() -> {
                    try (PointerScope inner = new PointerScope()) {
                        return Tensors.bytes(sparse.forward(batch));
                    }
                }));
            }
            for (int call = 0; call < 90; call++) {
                assertThat(results.get(call).get()).as("call %d", call).isEqualTo(expected.get(call % 3));
            }
            pool.shutdown();
        }
    }

    /** What is read once in a plan may be written over; what is allocated once is not allocated again. */
    @Test
    void memoryDoesNotGrow() {
        try (PointerScope scope = new PointerScope();
                Trained trained = trained("resnet-20", new Shape(3, 32, 32));
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 2)) {
            Tensor images = trained.images(33);
            long before = 0;
            for (int call = 0; call < 400; call++) {
                if (call == 100) {
                    before = Pointer.physicalBytes();
                }
                try (PointerScope inner = new PointerScope()) {
                    sparse.forward(images);
                }
            }
            // A leak of one workspace a call would be more than 1 GB, of the scores alone 200 kB.
            assertThat(Pointer.physicalBytes() - before).isLessThan(8 << 20);
            assertThat(sparse.workspaceBytes(16)).isBetween(1L << 20, 8L << 20);
            assertThat(sparse.workspaceBytes(33)).isEqualTo(2 * sparse.workspaceBytes(16));
        }
    }

    @Test
    void memoryIsThatOfKeptWeightsAndSixteenImages() {
        try (PointerScope scope = new PointerScope();
                Trained trained = new Trained(Zoo.build("resnet-20", new Shape(3, 32, 32), 10), 2)
                        .pruneAll(Granularity.KERNEL, 0.125);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 1)) {
            long dense =
                    trained.tensors.values().stream().mapToLong(Tensor::nbytes).sum();
            assertThat(prepared.graph().bytes()).isLessThan(dense / 5);
            sparse.forward(trained.images(33));
            assertThat(sparse.workspaceBytes(64)).isEqualTo(sparse.workspaceBytes(16));
            assertThat(prepared.graph().bytes())
                    .as("nothing that the kernels compute was unfolded")
                    .isLessThan(dense / 5);
        }
    }

    /** Two values of each size are all that a residual network needs: a block's sum takes the place of its input. */
    @Test
    void sumsTakeThePlaceOfTheirResiduals() {
        try (Trained trained = trained("resnet-20", new Shape(3, 32, 32));
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, 1)) {
            long values = 0;
            for (Shape stage : List.of(new Shape(16, 32, 32), new Shape(32, 16, 16), new Shape(64, 8, 8))) {
                values += 2 * new PaddedLayout(PaddedLayout.BATCH16, 16, stage, 1).bytes();
            }
            long image = new PaddedLayout(PaddedLayout.BATCH16, 16, new Shape(3, 32, 32), 1).bytes();
            long features = new PaddedLayout(PaddedLayout.BATCH16, 16, new Shape(64, 1, 1), 1).bytes();
            assertThat(sparse.workspaceBytes(16)).isBetween(values, values + image + 2 * features);
        }
    }
}
