package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kofn.kernels.Precision;
import org.kofn.mask.Granularity;
import org.kofn.nn.Initialisation;
import org.kofn.nn.Layer;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;
import org.kofn.nn.Zoo;
import org.kofn.torch.Tensors;

/** Whole networks on a GPU, or emulated, against their modules on the CPU. */
class CudaNetworkTest {
    private static Trained digits() {
        return new Trained(Zoo.build("digits-cnn", new Shape(1, 8, 8), 10), 1)
                .prune("conv2", Granularity.KERNEL, 1, 4)
                .prune("fc1", Granularity.WEIGHT, 1, 64);
    }

    private static double error(SparseNetwork sparse, Trained trained, int batch) {
        try (PointerScope scope = new PointerScope()) {
            Tensor images = trained.images(batch);
            Tensor here = images.to(CudaBackends.DEVICE, ScalarType.Float);
            Tensor scores = sparse.forward(here);
            assertThat(scores.scalar_type().intern()).isEqualTo(ScalarType.Float);
            assertThat(Tensors.bytes(sparse.forward(here))).isEqualTo(Tensors.bytes(scores));
            return Trained.error(scores.cpu(), trained.module.forward(images));
        }
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void sameScoresAsTheModule(Precision precision) {
        try (Trained trained = digits();
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, CudaBackends.of(precision), Dispatch.at(1))) {
            for (int batch : new int[] {1, 5, 1}) {
                assertThat(error(sparse, trained, batch))
                        .as("batch %d", batch)
                        .isLessThan(
                                switch (precision) {
                                    case FP32 -> 1e-5;
                                    case TF32 -> 2e-3;
                                    case BF16 -> 3e-2;
                                });
            }
        }
    }

    /** Residuals, concatenations, pooling, what the kernels do not know, and what the dispatcher gives to LibTorch. */
    @ParameterizedTest
    @ValueSource(doubles = {0, 0.5, 1})
    void networksOfEveryKind(double breakEven) {
        Random random = new Random(5);
        for (int i = 0; i < 6; i++) {
            try (Trained trained = RandomNetworks.trained(random, 8);
                    PreparedNetwork prepared = trained.prepare();
                    SparseNetwork sparse =
                            new SparseNetwork(prepared, CudaBackends.of(Precision.FP32), Dispatch.at(breakEven))) {
                assertThat(error(sparse, trained, 3))
                        .as("network %d, %s", i, sparse.layers(3))
                        .isLessThan(1e-5);
            }
        }
    }

    /** A sum may take its residual's place, but not that of the caller's images. */
    @Test
    void imagesStayAsTheyAre() {
        List<Layer> layers = List.of(
                new Layer.Conv2d("conv1", "input", 4, 4, Window.square(3, 1, 1), 1, true),
                new Layer.Conv2d("conv2", "conv1", 4, 4, Window.square(3, 1, 1), 1, true),
                new Layer.Add("sum", List.of("conv2", "input")),
                new Layer.Flatten("flatten", "sum"),
                new Layer.Linear("fc", "flatten", 4 * 25, 3, true));
        Network network = new Network("shortcut", new Shape(4, 5, 5), 3, Initialisation.PYTORCH, layers);
        try (Trained trained = new Trained(network, 1);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, CudaBackends.of(Precision.FP32), Dispatch.at(1))) {
            assertThat(error(sparse, trained, 2)).isLessThan(1e-5);
        }
    }

    @Test
    void saysWhatRunsWhere() {
        try (Trained trained = digits();
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse =
                        new SparseNetwork(prepared, CudaBackends.of(Precision.FP32), DispatchTable.none())) {
            List<String> layers = sparse.layers(1);
            assertThat(layers).hasSize(5);
            assertThat(layers.get(1))
                    .startsWith("conv2: sparse, density 0.250, break-even density 0.50 (default rule), direct ")
                    .endsWith(", fp32");
            assertThat(layers.get(2)).isEqualTo("pool: LibTorch");
            assertThat(layers.get(3))
                    .startsWith("fc1: sparse, density 0.125, break-even density 0.50 (default rule), 1 image, ");
            assertThat(layers.get(4))
                    .isEqualTo("fc2: dense, density 1.00, break-even density 0.50 (default rule), LibTorch");
        }
    }

    /** A layer that keeps two of every four is faster on sparse tensor cores, whatever was measured of other lists. */
    @Test
    void twoOfEveryFourNeedNoMeasurement() {
        Network network = Zoo.build("lenet-300-100", new Shape(1, 28, 28), 10);
        try (Trained trained = new Trained(network, 2).prune("fc2", Granularity.N_M, 1, 2);
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, CudaBackends.of(Precision.TF32), Dispatch.at(0))) {
            List<String> layers = sparse.layers(8);
            assertThat(layers.get(0)).contains("dense").endsWith("LibTorch");
            assertThat(layers.get(1))
                    .startsWith(
                            "fc2: sparse, density 0.500, break-even density 0.50 (2:4 on sparse tensor cores), 2:4 ");
            assertThat(error(sparse, trained, 8)).isLessThan(2e-3);
        }
    }

    /** Pieces run one after another in the same memory, which is planned once. */
    @Test
    void largerBatchesRunInPieces() {
        try (PointerScope scope = new PointerScope();
                Trained trained = digits();
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork sparse = new SparseNetwork(prepared, CudaBackends.of(Precision.FP32), Dispatch.at(0))) {
            Tensor images = trained.images(300);
            Tensor scores = sparse.forward(images.to(CudaBackends.DEVICE, ScalarType.Float));
            assertThat(Trained.error(scores.cpu(), trained.module.forward(images)))
                    .isLessThan(1e-5);
            assertThat(sparse.workspaceBytes(300)).isEqualTo(sparse.workspaceBytes(128));
        }
    }

    /** Half the bytes a value, and no halos. */
    @Test
    void memoryIsThatOfTheValues() {
        try (Trained trained = digits();
                PreparedNetwork prepared = trained.prepare();
                SparseNetwork single = new SparseNetwork(prepared, CudaBackends.of(Precision.FP32), Dispatch.at(1));
                SparseNetwork half = new SparseNetwork(prepared, CudaBackends.of(Precision.BF16), Dispatch.at(1))) {
            assertThat(half.workspaceBytes(4)).isEqualTo(single.workspaceBytes(4) / 2);
            assertThat(half.weightBytes(4)).isPositive().isLessThan(single.weightBytes(4));
        }
    }
}
