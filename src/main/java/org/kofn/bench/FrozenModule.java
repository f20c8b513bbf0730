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
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/** A TorchScript file whose weights LibTorch has made constants, as one would for inference. */
final class FrozenModule implements Engine.Loaded {
    private final JitModule module;
    private final ScalarType type;

    /**
     * Loads a file.
     *
     * @param device where it runs
     * @param type of its weights and of what it computes
     * @param freeze what LibTorch does with a module in evaluation mode
     */
    FrozenModule(Path file, Device device, ScalarType type, UnaryOperator<JitModule> freeze) {
        this.type = type;
        try (PointerScope scope = new PointerScope()) {
            JitModule plain = torch.load(file.toString(), new DeviceOptional(device), true);
            plain.eval();
            plain.to(type);
            module = Tensors.keep(freeze.apply(plain));
        }
    }

    @Override
    public Tensor run(Tensor images) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
            return module.forward(new IValueVector(new IValue(images.to(type))))
                    .toTensor()
                    .to(ScalarType.Float);
        }
    }

    @Override
    public void close() {
        module.close();
    }
}
