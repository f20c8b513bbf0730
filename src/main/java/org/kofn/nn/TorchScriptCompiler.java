package org.kofn.nn;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolType;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.QualifiedName;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.KofnException;
import org.kofn.torch.Philox;
import org.kofn.torch.Tensors;

/**
 * Turns a {@link Network} into a TorchScript module: a module for every part of a layer's path, tensors registered
 * under PyTorch's names, and {@code forward} methods compiled from {@link TorchScriptSource}. The result trains in this
 * process, and its file loads in Python or C++ without kofn.
 *
 * <p>Parameters are drawn on the CPU, each from a generator seeded by (seed, layer, tensor), so that they depend
 * neither on the device nor on the layers before. With bfloat16, convolutions and linear layers hold and compute in it,
 * while batch norms keep float32 parameters and statistics; images are cast on entry, scores back to float32. In
 * float64 everything but the images and scores is in it: what rounding does to a network is told by that.
 */
public final class TorchScriptCompiler {
    /** Keeps the random numbers of initialisation apart from all others: "init" in ASCII. */
    private static final int PURPOSE = 0x696E6974;

    private final Network network;
    private final long seed;
    private final ScalarType dtype;
    private final Device device;
    private final Map<String, JitModule> modules = new HashMap<>();
    private final Set<String> classes = new HashSet<>(Set.of("Network"));

    private TorchScriptCompiler(Network network, long seed, ScalarType dtype, Device device) {
        this.network = network;
        this.seed = seed;
        this.dtype = dtype;
        this.device = device;
    }

    /**
     * A fresh module in training mode.
     *
     * @param seed of the initial parameters
     * @param dtype of convolutions and linear layers: {@code Float}, {@code BFloat16} or {@code Double}
     * @param device where the module lives
     * @throws KofnException (usage) for another type
     */
    public static ScriptModule compile(Network network, long seed, ScalarType dtype, Device device) {
        if (dtype != ScalarType.Float && dtype != ScalarType.BFloat16 && dtype != ScalarType.Double) {
            throw KofnException.usage("model %s: computes in Float, BFloat16 or Double, not %s", network.name(), dtype);
        }
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            return new TorchScriptCompiler(network, seed, dtype, device).compile();
        }
    }

    /**
     * The layers of a float32 module in segments, over its own tensors: what either trains, the other sees.
     *
     * @param module what {@link #compile} made of the same network; it must stay open
     * @param segments what {@link Segment#cut} made of it
     */
    public static SegmentedModule segments(Network network, ScriptModule module, List<Segment> segments) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            TorchScriptCompiler compiler = new TorchScriptCompiler(network, 0, ScalarType.Float, null);
            JitModule root = compiler.layers((layer, position, index) -> {
                String name = layer.name() + "." + layer.tensors().get(index).name();
                Tensor trained = module.parameters().get(name);
                return trained == null ? module.buffers().get(name) : trained;
            });
            for (int i = 0; i < segments.size(); i++) {
                root.define(TorchScriptSource.of(SegmentedModule.name(i), segments.get(i), network));
            }
            return new SegmentedModule(Tensors.keep(root), segments);
        }
    }

    private ScriptModule compile() {
        JitModule root = layers(this::fresh);
        root.define(TorchScriptSource.of(network, dtype));
        return new ScriptModule(Tensors.keep(root), Map.of());
    }

    /** Where the tensors of layers come from. */
    private interface Source {
        /** The tensor with that place in the layer, which has that position in the network. */
        Tensor tensor(Layer layer, int position, int index);
    }

    /** The module of all layers, without a {@code forward} of the whole. */
    private JitModule layers(Source source) {
        JitModule root = module("Network");
        modules.put("", root);
        for (int position = 0; position < network.layers().size(); position++) {
            Layer layer = network.layers().get(position);
            if (!layer.tensors().isEmpty()) {
                JitModule module = at(layer.name());
                register(module, layer, position, source);
                module.define(TorchScriptSource.of(layer));
            }
        }
        return root;
    }

    /** The module of that path, created with its parents where it does not exist. */
    private JitModule at(String path) {
        JitModule known = modules.get(path);
        if (known != null) {
            return known;
        }
        int dot = path.lastIndexOf('.');
        JitModule parent = at(path.substring(0, Math.max(dot, 0)));
        JitModule module = module(TorchScriptSource.unique(TorchScriptSource.identifier(path), classes));
        parent.register_module(path.substring(dot + 1), module);
        modules.put(path, module);
        return module;
    }

    /** An empty module; each has the flag that {@code train} and {@code eval} set. */
    private JitModule module(String className) {
        String name = "__torch__.kofn." + TorchScriptSource.identifier(network.name()) + "." + className;
        JitModule module = new JitModule(new QualifiedName(name));
        // Through the plain Type: TypePtr(BoolType.get()) would pick the constructor that casts a pointer to memory of
        // another size, and read past its end.
        Type bool = BoolType.get().get();
        module.register_attribute("training", new Type.TypePtr(bool), new IValue(true));
        return module;
    }

    /** Registers the tensors of the layer with that position in the network. */
    private static void register(JitModule module, Layer layer, int position, Source source) {
        List<TensorSpec> specs = layer.tensors();
        for (int index = 0; index < specs.size(); index++) {
            Tensor tensor = source.tensor(layer, position, index);
            if (specs.get(index).trained()) {
                module.register_parameter(specs.get(index).name(), tensor, false);
            } else {
                module.register_buffer(specs.get(index).name(), tensor);
            }
        }
    }

    private Tensor fresh(Layer layer, int position, int index) {
        TensorSpec spec = layer.tensors().get(index);
        Tensor fresh = torch.zeros(spec.shape());
        network.init().fill(fresh, layer, spec, Philox.derive(seed, PURPOSE, position, index));
        Tensor tensor = fresh.to(device, type(spec));
        return spec.trained() ? tensor.requires_grad_(true) : tensor;
    }

    private ScalarType type(TensorSpec spec) {
        return switch (spec.kind()) {
            case WEIGHT -> dtype;
            case NORM, STATISTIC -> dtype == ScalarType.Double ? dtype : ScalarType.Float;
            case COUNTER -> ScalarType.Long;
        };
    }
}
