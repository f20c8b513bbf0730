package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.kofn.torch.Tensors;

class WindowProperties {
    @Property(tries = 300)
    void outputSizesAreLibTorchs(
            @ForAll @IntRange(min = 1, max = 12) int height,
            @ForAll @IntRange(min = 1, max = 12) int width,
            @ForAll @IntRange(min = 1, max = 5) int size,
            @ForAll @IntRange(min = 1, max = 3) int stride,
            @ForAll @IntRange(min = 0, max = 3) int padding,
            @ForAll @IntRange(min = 1, max = 3) int dilation) {
        Window window = new Window(size, 1, stride, 2, padding, 0, dilation, 1);
        Assume.that(height + 2 * padding >= dilation * (size - 1) + 1);
        try (PointerScope scope = new PointerScope()) {
            Tensor out = torch.conv2d(
                    torch.zeros(1, 2, height, width),
                    torch.zeros(3, 2, size, 1),
                    new TensorOptional(),
                    new long[] {stride, 2},
                    new long[] {padding, 0},
                    new long[] {dilation, 1},
                    1);
            Shape shape = window.slideOver(new Shape(2, height, width), 3);
            assertThat(Tensors.shape(out)).containsExactly(1, shape.channels(), shape.height(), shape.width());
        }
    }
}
