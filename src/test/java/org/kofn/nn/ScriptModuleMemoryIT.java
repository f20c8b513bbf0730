package org.kofn.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.nn.TorchScriptCompilerTest.images;

import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.torch.Tensors;

class ScriptModuleMemoryIT {
    private int threads;

    /** Tiny operations of two threads on a busy machine wait for each other most of the time. */
    @BeforeEach
    void oneThread() {
        threads = torch.get_num_threads();
        torch.set_num_threads(1);
    }

    @AfterEach
    void threadsAsBefore() {
        torch.set_num_threads(threads);
    }

    /** A loss kept at every step, with the graph that hangs on it, is 9 MB after 300 steps; without, 1 MB. */
    @Test
    void stepsDoNotGrowNativeMemory() {
        Shape input = new Shape(3, 8, 8);
        try (ScriptModule module = TorchScriptCompilerTest.module("resnet-20", input, ScalarType.Float);
                Tensor x = images(8, input);
                Tensor y = Tensors.of(new long[8], 8)) {
            steps(module, x, y, 100);
            long before = Pointer.physicalBytes();
            steps(module, x, y, 300);
            assertThat(Pointer.physicalBytes() - before).isLessThan(5L << 20);
        }
    }

    private static void steps(ScriptModule module, Tensor x, Tensor y, int count) {
        for (int step = 0; step < count; step++) {
            try (PointerScope scope = new PointerScope()) {
                module.parameters()
                        .values()
                        .forEach(parameter -> parameter.mutable_grad().reset());
                torch.cross_entropy(module.forward(x), y).backward();
            }
        }
    }

    /** The module is 1.7 MB: 60 that stay would be 100 MB. */
    @Test
    void closedModulesAreGone(@TempDir Path folder) {
        Shape input = new Shape(1, 28, 28);
        Path file = folder.resolve("model.pt");
        long before = 0;
        for (int round = 0; round < 80; round++) {
            if (round == 20) {
                before = Pointer.physicalBytes();
            }
            try (ScriptModule module = TorchScriptCompilerTest.module("lenet-5", input, ScalarType.Float)) {
                module.save(file);
            }
            ScriptModule.load(file, new Device("cpu")).close();
        }
        assertThat(Pointer.physicalBytes() - before).isLessThan(20L << 20);
    }
}
