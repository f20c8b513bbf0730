package org.kofn.torch;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OneDnnTest {
    private static final long[] ONE = {1, 1};
    private static final long[] NONE = {0, 0};

    /** The second layer of LeNet-5, and others whose feature maps do not fill vectors. */
    @ParameterizedTest
    @CsvSource({"20, 50, 5, 12", "24, 64, 3, 14", "50, 50, 3, 9", "64, 64, 3, 8"})
    void convolutionsAreRight(int inputs, int outputs, int window, int size) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            torch.manual_seed(3);
            for (int batch = 1; batch <= 3; batch++) {
                Tensor images = torch.randn(batch, inputs, size, size);
                Tensor weight = torch.randn(outputs, inputs, window, window);
                Tensor exact = convolution(images.to(ScalarType.Double), weight.to(ScalarType.Double));
                assertThat(convolution(images, weight).sub(exact).abs().max().item_double())
                        .as("batch %d", batch)
                        .isLessThan(1e-3);
            }
        }
    }

    private static Tensor convolution(Tensor images, Tensor weight) {
        return torch.conv2d(images, weight, new TensorOptional(), ONE, NONE, ONE, 1);
    }
}
