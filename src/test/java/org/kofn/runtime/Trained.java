package org.kofn.runtime;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Precision;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.nn.Network;
import org.kofn.nn.ScriptModule;
import org.kofn.nn.Shape;
import org.kofn.nn.TorchScriptCompiler;
import org.kofn.torch.Tensors;

/** What a training run leaves, at random: a module with batch-norm statistics, pruned weights and their masks. */
final class Trained implements AutoCloseable {
    final Network network;
    final ScriptModule module;
    final Map<String, Tensor> tensors = new LinkedHashMap<>();
    final Map<String, ParameterMask> masks = new LinkedHashMap<>();
    private final Random random;

    /** A module in evaluation mode with nothing pruned yet. */
    Trained(Network network, long seed) {
        this.network = network;
        this.random = new Random(seed);
        this.module = TorchScriptCompiler.compile(network, seed, ScalarType.Float, new Device("cpu"));
        module.train(false);
        tensors.putAll(module.parameters());
        tensors.putAll(module.buffers());
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            torch.manual_seed(seed);
            tensors.forEach(Trained::unsettle);
        }
    }

    /** Batch norms as training leaves them: scales of either sign, shifts, means, variances. */
    private static void unsettle(String name, Tensor tensor) {
        boolean norm = tensor.dim() == 1;
        if (name.endsWith(".running_var")) {
            tensor.uniform_(0.5, 1.5, new GeneratorOptional());
        } else if (name.endsWith(".weight") && norm) {
            tensor.normal_(0.6, 0.4, new GeneratorOptional());
        } else if (norm) {
            tensor.normal_(0, 0.3, new GeneratorOptional());
        }
    }

    /** Keeps k random candidates of every group and zeroes the others. */
    Trained prune(String layer, Granularity granularity, int share, int k) {
        String parameter = layer + ".weight";
        Tensor weight = tensors.get(parameter);
        MaskLayout layout = MaskLayout.of(layer, granularity, Tensors.shape(weight), 4, share);
        int groups = Math.toIntExact(layout.groups());
        int n = Math.toIntExact(layout.candidates());
        byte[] mask = new byte[groups * n];
        for (int group = 0; group < groups; group++) {
            int start = group * n;
            random.ints(start, start + n).distinct().limit(k).forEach(keep -> mask[keep] = 1);
        }
        return prune(layer, layout, mask);
    }

    /** Keeps only these feature maps. */
    Trained keepFilters(String layer, int... kept) {
        MaskLayout layout =
                MaskLayout.of(layer, Granularity.FILTER, Tensors.shape(tensors.get(layer + ".weight")), 1, 1);
        byte[] mask = new byte[(int) layout.candidates()];
        for (int filter : kept) {
            mask[filter] = 1;
        }
        return prune(layer, layout, mask);
    }

    private Trained prune(String layer, MaskLayout layout, byte[] mask) {
        Tensor bits = Tensors.ofBytes(mask, ScalarType.Bool, layout.groups(), layout.candidates());
        masks.put(layer + ".weight", new ParameterMask(layout, Tensors.keep(bits)));
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            Tensor weight = tensors.get(layer + ".weight");
            weight.view(layout.view()).mul_(layout.spread(bits).to(ScalarType.Float));
            // As much signal as before, so that deep networks do not fade.
            long kept = bits.count_nonzero().item_long();
            weight.mul_(new Scalar(Math.sqrt((double) mask.length / Math.max(1, kept))));
        }
        return this;
    }

    /** The whole network at once: one granularity and density for all weights but the first and the last. */
    Trained pruneAll(Granularity granularity, double density) {
        var weights = network.weights();
        for (Network.Weight weight : weights.subList(1, weights.size() - 1)) {
            Granularity fits =
                    weight.shape().length == 2 && granularity == Granularity.KERNEL ? Granularity.WEIGHT : granularity;
            long n = MaskLayout.of(weight.layer(), fits, weight.shape(), 4, 1).candidates();
            prune(weight.layer(), fits, 1, (int) Math.max(1, Math.round(density * n)));
        }
        return this;
    }

    /** Random images; they belong to the caller's scope. */
    Tensor images(int batch) {
        Shape input = network.input();
        return torch.randn(batch, input.channels(), input.height(), input.width());
    }

    PreparedNetwork prepare() {
        return PreparedNetwork.of(network, tensors, masks);
    }

    PreparedNetwork prepare(Precision precision) {
        return PreparedNetwork.of(network, tensors, masks, precision);
    }

    /** The largest difference between two results, as a part of the largest expected number. */
    static double error(Tensor actual, Tensor expected) {
        return actual.sub(expected).abs().max().item_double()
                / expected.abs().max().item_double();
    }

    /** The error of {@link LibTorchExecutor} on random images. */
    double error(PreparedNetwork prepared, int batch) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            Tensor images = images(batch);
            return error(new LibTorchExecutor(prepared.graph()).forward(images), module.forward(images));
        }
    }

    @Override
    public void close() {
        masks.values().forEach(mask -> mask.mask().close());
        module.close();
    }
}
