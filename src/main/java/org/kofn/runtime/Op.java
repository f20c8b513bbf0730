package org.kofn.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.kofn.nn.Layer;
import org.kofn.nn.Shape;
import org.kofn.nn.Window;

/**
 * One step of an {@link InferenceGraph}, named after the value that it computes, which is also the layer's name in the
 * network. Tensors are fp32 on the CPU, but for {@link ScaleShift}'s; no pass writes into them.
 */
public sealed interface Op {
    /** The value that this computes. */
    String name();

    /** The values that it reads, the residual of its epilogue last. */
    List<String> inputs();

    /** The shape of its value, given those of its inputs. */
    Shape output(List<Shape> inputs);

    /** The same, reading other values. */
    Op reading(UnaryOperator<String> rename);

    /** The tensors that it holds. */
    default List<Tensor> tensors() {
        return List.of();
    }

    /** A convolution or linear layer: outputs are weighted sums of inputs, plus a bias, through an epilogue. */
    sealed interface Weighted extends Op {
        /** The value that is summed. */
        String input();

        /** What inputs are multiplied with. */
        Weights weights();

        /** [O]. */
        Tensor bias();

        /** What happens to the sums. */
        Epilogue epilogue();

        /** Whether zeros around the image take part in the sums. */
        boolean padded();

        /** How many separate convolutions this is, side by side. */
        int groups();

        /** The same with other tensors. */
        Weighted with(Weights weights, Tensor bias);

        /** The same with another epilogue. */
        Weighted with(Epilogue epilogue);

        /** O. */
        default int outputs() {
            return weights().outputs();
        }

        /** Which kernels may be other than zero; null where there is no such list. */
        default KeptKernels kept() {
            return weights().kept();
        }

        @Override
        default List<String> inputs() {
            String residual = epilogue().residual();
            return residual == null ? List.of(input()) : List.of(input(), residual);
        }

        @Override
        default List<Tensor> tensors() {
            return List.of(weights().held(), bias());
        }
    }

    /** A convolution. */
    record Conv(String name, String input, Window window, int groups, Weights weights, Tensor bias, Epilogue epilogue)
            implements Weighted {
        @Override
        public boolean padded() {
            return window.padHeight() > 0 || window.padWidth() > 0;
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return window.slideOver(inputs.get(0), outputs());
        }

        @Override
        public Conv with(Weights newWeights, Tensor newBias) {
            return new Conv(name, input, window, groups, newWeights, newBias, epilogue);
        }

        @Override
        public Conv with(Epilogue newEpilogue) {
            return new Conv(name, input, window, groups, weights, bias, newEpilogue);
        }

        @Override
        public Conv reading(UnaryOperator<String> rename) {
            Epilogue renamed = rename(epilogue, rename);
            return new Conv(name, rename.apply(input), window, groups, weights, bias, renamed);
        }
    }

    /** A linear layer. */
    record Linear(String name, String input, Weights weights, Tensor bias, Epilogue epilogue) implements Weighted {
        @Override
        public boolean padded() {
            return false;
        }

        @Override
        public int groups() {
            return 1;
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return Shape.features(outputs());
        }

        @Override
        public Linear with(Weights newWeights, Tensor newBias) {
            return new Linear(name, input, newWeights, newBias, epilogue);
        }

        @Override
        public Linear with(Epilogue newEpilogue) {
            return new Linear(name, input, weights, bias, newEpilogue);
        }

        @Override
        public Linear reading(UnaryOperator<String> rename) {
            return new Linear(name, rename.apply(input), weights, bias, rename(epilogue, rename));
        }
    }

    /** A batch norm that no layer before it could take up: scale·x + shift, both fp64 [channels]. */
    record ScaleShift(String name, String input, Tensor scale, Tensor shift) implements Op {
        @Override
        public List<String> inputs() {
            return List.of(input);
        }

        @Override
        public Shape output(List<Shape> inputs) {
            return inputs.get(0);
        }

        @Override
        public ScaleShift reading(UnaryOperator<String> rename) {
            return new ScaleShift(name, rename.apply(input), scale, shift);
        }

        @Override
        public List<Tensor> tensors() {
            return List.of(scale, shift);
        }
    }

    /**
     * A layer without tensors, as the network has it (pooling, activation, sum, concatenation, flattening), but reading
     * {@code inputs} instead of the layer's own.
     */
    record Plain(Layer layer, List<String> inputs) implements Op {
        /** Takes layers without tensors only. */
        public Plain {
            inputs = List.copyOf(inputs);
            if (!layer.tensors().isEmpty()) {
                throw new IllegalArgumentException(layer.name() + " holds tensors");
            }
        }

        @Override
        public String name() {
            return layer.name();
        }

        @Override
        public Shape output(List<Shape> shapes) {
            return layer.output(shapes);
        }

        @Override
        public Plain reading(UnaryOperator<String> rename) {
            List<String> renamed = new ArrayList<>(inputs);
            renamed.replaceAll(rename);
            return new Plain(layer, renamed);
        }
    }

    private static Epilogue rename(Epilogue epilogue, UnaryOperator<String> rename) {
        return epilogue.residual() == null ? epilogue : epilogue.plus(rename.apply(epilogue.residual()));
    }
}
