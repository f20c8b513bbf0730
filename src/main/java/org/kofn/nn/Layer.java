package org.kofn.nn;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.kofn.base.KofnException;

/**
 * One step of a {@link Network}: plain data with the meaning that PyTorch gives it. Back ends (TorchScript, cost, and
 * others) match on the records; what every back end needs, the output shape and the tensors that a layer holds, stands
 * here. Layers that hold tensors bear PyTorch's module path as their name, so that a {@code state_dict} fits.
 */
public sealed interface Layer {
    /** Path of identifiers or numbers joined by dots, such as {@code layer1.0.conv1}; unique in a network. */
    String name();

    /** The layers whose outputs this one takes, in order; {@code "input"} is the network's. */
    List<String> inputs();

    /**
     * The shape of the output.
     *
     * @param inputs the shape of each input, in order
     * @throws KofnException (usage) when they do not fit, naming this layer
     */
    Shape output(List<Shape> inputs);

    /** The tensors it holds, in the order of PyTorch's {@code state_dict}; none for most kinds. */
    default List<TensorSpec> tensors() {
        return List.of();
    }

    /** The kind, as recipes write it: {@code conv2d}, {@code linear}, {@code batchnorm2d} … */
    default String type() {
        return getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }

    /** A layer with one input, whose shape it keeps unless it says otherwise. */
    sealed interface Unary extends Layer {
        /** The layer whose output this one takes. */
        String input();

        @Override
        default List<String> inputs() {
            return List.of(input());
        }

        @Override
        default Shape output(List<Shape> inputs) {
            return inputs.get(0);
        }
    }

    /** {@code nn.Conv2d}: {@code out} feature maps from {@code in}, in {@code groups}, padded with zeros. */
    record Conv2d(String name, String input, int in, int out, Window window, int groups, boolean bias)
            implements Unary {
        /** Refuses channels below one and groups that divide them unevenly. */
        public Conv2d {
            Check.name(name);
            Check.that(in >= 1 && out >= 1, name, "needs at least one channel in and out, not %d and %d", in, out);
            Check.that(
                    groups >= 1 && in % groups == 0 && out % groups == 0,
                    name,
                    "%d groups do not divide %d channels in and %d out",
                    groups,
                    in,
                    out);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            Check.channels(name, in, inputs.get(0));
            return Check.slide(name, window, inputs.get(0), out);
        }

        @Override
        public List<TensorSpec> tensors() {
            long[] shape = {out, in / groups, window.height(), window.width()};
            return Check.weightAndBias(shape, bias);
        }
    }

    /** {@code nn.Linear}: {@code out} features from a vector of {@code in}. */
    record Linear(String name, String input, int in, int out, boolean bias) implements Unary {
        /** Refuses features below one. */
        public Linear {
            Check.name(name);
            Check.that(in >= 1 && out >= 1, name, "needs at least one feature in and out, not %d and %d", in, out);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            long size = inputs.get(0).size();
            Check.that(size == in, name, "takes %d features, gets %d", in, size);
            return Shape.features(out);
        }

        @Override
        public List<TensorSpec> tensors() {
            return Check.weightAndBias(new long[] {out, in}, bias);
        }
    }

    /**
     * {@code nn.BatchNorm2d}, and {@code nn.BatchNorm1d} on a vector: each channel normalised by the batch's statistics
     * in training, by running ones (average weight {@code momentum}) otherwise, then scaled and shifted.
     */
    record BatchNorm2d(String name, String input, int channels, double epsilon, double momentum) implements Unary {
        /** Refuses channels below one, ε not above 0 and a momentum outside [0, 1]. */
        public BatchNorm2d {
            Check.name(name);
            Check.that(channels >= 1, name, "needs at least one channel, not %d", channels);
            Check.that(epsilon > 0, name, "needs an epsilon above 0, not %s", epsilon);
            Check.that(momentum >= 0 && momentum <= 1, name, "needs a momentum in [0, 1], not %s", momentum);
        }

        /** With PyTorch's defaults: ε = 1e-5, momentum 0.1. */
        public BatchNorm2d(String name, String input, int channels) {
            this(name, input, channels, 1e-5, 0.1);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            Check.channels(name, channels, inputs.get(0));
            return inputs.get(0);
        }

        @Override
        public List<TensorSpec> tensors() {
            long[] shape = {channels};
            return List.of(
                    new TensorSpec("weight", shape, TensorSpec.Kind.NORM),
                    new TensorSpec("bias", shape, TensorSpec.Kind.NORM),
                    new TensorSpec("running_mean", shape, TensorSpec.Kind.STATISTIC),
                    new TensorSpec("running_var", shape, TensorSpec.Kind.STATISTIC),
                    new TensorSpec("num_batches_tracked", new long[0], TensorSpec.Kind.COUNTER));
        }
    }

    /** A function of each element; {@code arguments} are those of its {@link Kind}, in PyTorch's order. */
    record Activation(String name, String input, Kind kind, List<Double> arguments) implements Unary {
        /** The functions, each an operator of that name under {@code torch} in TorchScript. */
        public enum Kind {
            /** max(x, 0). */
            RELU,
            /** min(max(x, 0), 6). */
            RELU6,
            /** x cut to [min, max]. */
            HARDTANH(-1, 1),
            /** x, or slope·x below 0. */
            LEAKY_RELU(0.01),
            /** x, or α(eˣ − 1) below 0. */
            ELU(1),
            /** x·sigmoid(x). */
            SILU,
            /** x·min(max(x + 3, 0), 6)/6. */
            HARDSWISH,
            /** 1/(1 + e⁻ˣ). */
            SIGMOID,
            /** Hyperbolic tangent. */
            TANH,
            /** x·Φ(x), by the error function. */
            GELU;

            private final List<Double> defaults;

            Kind(double... defaults) {
                this.defaults = Arrays.stream(defaults).boxed().toList();
            }

            /** PyTorch's default arguments; empty when the function takes none. */
            public List<Double> defaults() {
                return defaults;
            }

            /** The operator's name, such as {@code leaky_relu}. */
            public String operator() {
                return name().toLowerCase(Locale.ROOT);
            }
        }

        /** Refuses a wrong number of arguments. */
        public Activation {
            Check.name(name);
            arguments = List.copyOf(arguments);
            int count = kind.defaults().size();
            Check.that(
                    arguments.size() == count,
                    name,
                    "%s takes %d arguments, not %d",
                    kind.operator(),
                    count,
                    arguments.size());
        }

        /** With PyTorch's default arguments. */
        public Activation(String name, String input, Kind kind) {
            this(name, input, kind, kind.defaults());
        }
    }

    /** {@code nn.MaxPool2d}: the largest value in each window. */
    record MaxPool2d(String name, String input, Window window) implements Unary {
        /** Refuses padding of more than half a window, as PyTorch does. */
        public MaxPool2d {
            Check.name(name);
            Check.pooling(name, window);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return Check.slide(name, window, inputs.get(0), inputs.get(0).channels());
        }
    }

    /** {@code nn.AvgPool2d}: the mean of each window, padded zeros counted. */
    record AvgPool2d(String name, String input, Window window) implements Unary {
        /** Refuses dilation, which PyTorch's has not, and padding of more than half a window. */
        public AvgPool2d {
            Check.name(name);
            Check.pooling(name, window);
            Check.that(window.dense(), name, "average pooling has no dilation");
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return Check.slide(name, window, inputs.get(0), inputs.get(0).channels());
        }
    }

    /** {@code nn.AdaptiveAvgPool2d}: the image averaged down to {@code height} by {@code width} pixels. */
    record AdaptiveAvgPool2d(String name, String input, int height, int width) implements Unary {
        /** Refuses sizes below one. */
        public AdaptiveAvgPool2d {
            Check.name(name);
            Check.that(height >= 1 && width >= 1, name, "cannot pool to %dx%d pixels", height, width);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return new Shape(inputs.get(0).channels(), height, width);
        }
    }

    /** The sum of two or more inputs of one shape. */
    record Add(String name, List<String> inputs) implements Layer {
        /** Refuses fewer than two inputs. */
        public Add {
            Check.name(name);
            inputs = List.copyOf(inputs);
            Check.that(inputs.size() >= 2, name, "adds at least two inputs, not %d", inputs.size());
        }

        @Override
        public Shape output(List<Shape> inputs) {
            Check.that(Set.copyOf(inputs).size() == 1, name, "adds inputs of different shapes: %s", inputs);
            return inputs.get(0);
        }
    }

    /** Two or more inputs of one height and width, stacked along the channels. */
    record Concat(String name, List<String> inputs) implements Layer {
        /** Refuses fewer than two inputs. */
        public Concat {
            Check.name(name);
            inputs = List.copyOf(inputs);
            Check.that(inputs.size() >= 2, name, "joins at least two inputs, not %d", inputs.size());
        }

        @Override
        public Shape output(List<Shape> inputs) {
            Shape first = inputs.get(0);
            for (Shape shape : inputs) {
                Check.that(
                        shape.height() == first.height() && shape.width() == first.width(),
                        name,
                        "joins images of different sizes: %s",
                        inputs);
            }
            int channels = inputs.stream().mapToInt(Shape::channels).sum();
            return new Shape(channels, first.height(), first.width());
        }
    }

    /** Each sample as one vector, in the order channel, row, column. */
    record Flatten(String name, String input) implements Unary {
        /** Refuses a malformed name. */
        public Flatten {
            Check.name(name);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return Shape.features(Math.toIntExact(inputs.get(0).size()));
        }
    }

    /** In training, each element is zeroed with {@code probability} and the rest scaled by 1/(1 − probability). */
    record Dropout(String name, String input, double probability) implements Unary {
        /** Refuses a probability outside [0, 1). */
        public Dropout {
            Check.name(name);
            Check.that(probability >= 0 && probability < 1, name, "needs a probability in [0, 1), not %s", probability);
        }
    }
}
