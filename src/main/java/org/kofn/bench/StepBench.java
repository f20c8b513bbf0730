package org.kofn.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.data.Dataset;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.Reference;
import org.kofn.nn.Network;
import org.kofn.recipe.LayerPlan;
import org.kofn.recipe.Recipe;
import org.kofn.recipe.RecipeReader;
import org.kofn.torch.Devices;
import org.kofn.torch.Tensors;
import org.kofn.train.StepRunner;

/**
 * What dynamic probabilistic pruning adds to a training step: the trainer's own step, with masks and without, of the
 * same network over the same images, in turn. Pictures and labels are random, which changes no time.
 */
public final class StepBench {
    /** Batches of an epoch: some, so that drawing a new order is as rare as it is in training. */
    private static final int BATCHES = 64;

    private final Device device;
    /** For the dense step, which has nothing to mask. */
    private static final Kernels.Choice NONE = new Kernels.Choice(new Reference(), "nothing is pruned");

    private final Kernels.Choice choice;
    private final Effort effort;

    /**
     * Measurements on a device.
     *
     * @param kernels what {@link Kernels#choose} takes
     */
    public StepBench(Device device, String kernels, Effort effort) {
        this(device, Kernels.choose(kernels, device), effort);
    }

    /** Measurements of these kernels. */
    StepBench(Device device, Kernels.Choice choice, Effort effort) {
        this.device = device;
        this.choice = choice;
        this.effort = effort;
    }

    /** The implementation that is measured, and why it was chosen. */
    public Kernels.Choice choice() {
        return choice;
    }

    /**
     * Measures a network of the zoo.
     *
     * @param batch images a step
     * @throws org.kofn.base.KofnException (usage) for an unknown network, with the nearest
     */
    public StepResult run(String name, int batch) {
        Network network = ZooInput.network(name);
        TimedKernels timed = new TimedKernels(choice.kernels());
        List<Double> inKernels = new ArrayList<>();
        Recipe pruned = recipe(network, batch, true);
        try (Dataset images = images(network, batch);
                StepRunner dense = StepRunner.of(recipe(network, batch, false), device, NONE, images);
                StepRunner masked = StepRunner.of(pruned, device, new Kernels.Choice(timed, choice.reason()), images)) {
            Comparison.Result result = new Comparison(Stopwatch.of(device), effort)
                    .run(List.of(dense::step), List.of(() -> {
                        masked.step();
                        inKernels.add(timed.take());
                    }));
            return result(name, batch, LayerPlan.resolve(pruned.prune(), network), result, inKernels);
        }
    }

    /** Random pictures of the network's size. */
    private static Dataset images(Network network, int batch) {
        int channels = network.input().channels();
        float[] half = new float[channels];
        Arrays.fill(half, 0.5f);
        long count = (long) BATCHES * batch;
        long[] size = {
            count, channels, network.input().height(), network.input().width()
        };
        try (PointerScope scope = new PointerScope()) {
            torch.manual_seed(1);
            Tensor pixels = torch.randint(256, size, new TensorOptions(ScalarType.Byte));
            Tensor labels = torch.randint(network.classes(), new long[] {count}, new TensorOptions(ScalarType.Long));
            return new Dataset("random", Tensors.keep(pixels), Tensors.keep(labels), network.classes(), half, half);
        }
    }

    /** {@code configs/cifar-10-resnet-20.yaml} for this network, with or without its masks. */
    static Recipe recipe(Network network, int batch, boolean pruned) {
        StringBuilder yaml = new StringBuilder();
        yaml.append("model: ").append(network.name()).append('\n');
        // The data are given; a recipe has to name some.
        yaml.append("data: {name: cifar-10, validation: 0, crop: 4, flip: true}\n");
        yaml.append("batch: ").append(batch).append('\n');
        yaml.append("optimizer: {name: sgd, rate: 0.1, weight-decay: 1e-4}\n");
        if (pruned) {
            yaml.append("prune:\n  layers:\n");
            rules(network).forEach(rule -> yaml.append("    - ").append(rule).append('\n'));
        }
        yaml.append("phases:\n  - {phase: ").append(pruned ? "prune" : "dense").append(", epochs: 1}\n");
        return RecipeReader.parse(yaml.toString(), "kofn bench step");
    }

    /**
     * A quarter of the kernels of all convolutions of more than a pixel but the first; where there is none, a quarter
     * of the weights of all layers but the last.
     */
    private static List<String> rules(Network network) {
        List<Network.Weight> weights = network.weights();
        List<String> rules = weights.subList(1, weights.size()).stream()
                .filter(weight -> weight.shape().length == 4 && weight.shape()[2] * weight.shape()[3] > 1)
                .map(weight -> rule(weight, "kernel"))
                .toList();
        return rules.isEmpty()
                ? weights.subList(0, weights.size() - 1).stream()
                        .map(weight -> rule(weight, "weight"))
                        .toList()
                : rules;
    }

    private static String rule(Network.Weight weight, String granularity) {
        return "{match: " + weight.layer() + ", granularity: " + granularity + ", keep: {from: 4x, to: 25%}}";
    }

    private StepResult result(
            String name, int batch, List<LayerPlan> plans, Comparison.Result result, List<Double> inKernels) {
        Timing baseline = result.baseline().total();
        Timing ours = result.ours().total();
        double[] counted = inKernels.subList(inKernels.size() - ours.n(), inKernels.size()).stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
        return new StepResult(
                name,
                baseline.median(),
                ours.median(),
                result.ratio(),
                100 * (ours.median() / baseline.median() - 1),
                100 * (1 / result.pairedRatio() - 1),
                ours.n(),
                baseline.p20(),
                baseline.p80(),
                ours.p20(),
                ours.p80(),
                device.is_cuda() ? null : Timing.of(counted).median(),
                batch,
                plans.size(),
                plans.stream()
                        .mapToLong(
                                plan -> plan.layout().groups() * plan.layout().candidates())
                        .sum(),
                choice.kernels().name(),
                Devices.describe(device),
                torch.get_num_threads());
    }
}
