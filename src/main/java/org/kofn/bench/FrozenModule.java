package org.kofn.bench;

import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.torch.Tensors;

/** A TorchScript file whose weights LibTorch has made constants, as one would for inference. */
final class FrozenModule implements Engine.Loaded {
    private final JitModule module;

    /**
     * Loads a file.
     *
     * @param freeze what LibTorch does with a module in evaluation mode
     */
    FrozenModule(Path file, UnaryOperator<JitModule> freeze) {
        try (PointerScope scope = new PointerScope()) {
            JitModule plain = torch.load(file.toString(), new DeviceOptional(new Device("cpu")), true);
            plain.eval();
            module = Tensors.keep(freeze.apply(plain));
        }
    }

    @Override
    public Tensor run(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            return module.forward(new IValueVector(new IValue(images))).toTensor();
        }
    }

    @Override
    public void close() {
        module.close();
    }
}
