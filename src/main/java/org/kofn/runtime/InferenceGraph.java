package org.kofn.runtime;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.kofn.nn.Network;
import org.kofn.nn.Shape;
import org.kofn.torch.Tensors;

/**
 * A network as inference runs it: operations in order, each after those whose values it reads. Passes take one and
 * return another, which shares the tensors that did not change.
 *
 * @param input the shape of one image, the value {@link Network#INPUT}
 * @param ops in the order they run; the last one's value is the network's
 */
public record InferenceGraph(Shape input, List<Op> ops) implements AutoCloseable {
    /** Needs at least one operation. */
    public InferenceGraph {
        ops = List.copyOf(ops);
        if (ops.isEmpty()) {
            throw new IllegalArgumentException("a graph without operations");
        }
    }

    /** The value that the network computes. */
    public String output() {
        return ops.get(ops.size() - 1).name();
    }

    /** The shape of every value for one image, in the order they are computed, the input's first. */
    public Map<String, Shape> shapes() {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        shapes.put(Network.INPUT, input);
        for (Op op : ops) {
            shapes.put(
                    op.name(), op.output(op.inputs().stream().map(shapes::get).toList()));
        }
        return shapes;
    }

    /** The operations that read each value, one that reads it twice twice; none for the network's output. */
    public Map<String, List<Op>> consumers() {
        Map<String, List<Op>> consumers = new LinkedHashMap<>();
        consumers.put(Network.INPUT, new ArrayList<>());
        for (Op op : ops) {
            op.inputs().forEach(input -> consumers.get(input).add(op));
            consumers.put(op.name(), new ArrayList<>());
        }
        return consumers;
    }

    /** Lets the tensors outlive the scope that they were made in; {@link #close} frees them. */
    InferenceGraph keep() {
        ops.forEach(op -> op.tensors().forEach(Tensors::keep));
        return this;
    }

    /** Bytes of all tensors that the operations hold. */
    public long bytes() {
        return ops.stream()
                .flatMap(op -> op.tensors().stream())
                .mapToLong(Tensor::nbytes)
                .sum();
    }

    @Override
    public void close() {
        ops.forEach(op -> op.tensors().forEach(Tensor::close));
    }
}
