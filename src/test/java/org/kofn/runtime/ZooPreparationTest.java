package org.kofn.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kofn.mask.Granularity;
import org.kofn.nn.Layer;
import org.kofn.nn.Shape;
import org.kofn.nn.Zoo;

/** Every network of the zoo, pruned in every way, computes after the passes what its TorchScript module computes. */
class ZooPreparationTest {
    /** Of the largest score: fp32 rounding through up to 50 layers, summed in another order. */
    private static final double BOUND = 1e-5;

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "lenet-300-100, 1x28x28",
        "lenet-5, 1x28x28",
        "digits-cnn, 1x8x8",
        "vgg7, 3x32x32",
        "vgg16-bn, 3x32x32",
        "resnet-20, 3x32x32",
        "resnet-32, 3x16x16",
        "resnet-56, 3x16x16",
        "resnet-18, 3x80x72",
        "resnet-50, 3x32x32",
    })
    void sameScoresAsTheModule(String model, String input) {
        String[] sizes = input.split("x");
        Shape shape = new Shape(Integer.parseInt(sizes[0]), Integer.parseInt(sizes[1]), Integer.parseInt(sizes[2]));
        for (Granularity granularity : Granularity.values()) {
            try (Trained trained = new Trained(Zoo.build(model, shape, 10), 7)) {
                trained.pruneAll(granularity, 0.25);
                try (PreparedNetwork prepared = trained.prepare()) {
                    assertThat(trained.error(prepared, 3)).as("%s", granularity).isLessThan(BOUND);
                    assertThat(prepared.graph().ops())
                            .as("batch norms, rectifiers and sums are in epilogues")
                            .noneMatch(op -> op instanceof Op.ScaleShift
                                    || op instanceof Op.Plain plain
                                            && (plain.layer() instanceof Layer.Activation
                                                    || plain.layer() instanceof Layer.Add));
                }
            }
        }
    }
}
