package org.kofn.export.onnx;

import com.google.protobuf.UnsafeByteOperations;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.BuildInfo;
import org.kofn.nn.Shape;
import org.kofn.torch.Tensors;

/**
 * An ONNX model that grows node by node. The numbers are those of fields and enumerations in {@code onnx.proto}, IR
 * version 8, which goes with {@link #OPSET}; <a href="https://github.com/onnx/onnx/blob/v1.12.0/onnx/onnx.proto">its
 * text</a> explains each.
 */
final class OnnxGraph {
    /** The version of the operators: the first with everything that is needed here but Gelu, which came with 20. */
    static final int OPSET = 17;

    private static final int IR_VERSION = 8;
    private static final int FLOAT = 1;
    private static final String BATCH = "batch";

    private final Message graph;

    /** A graph without nodes. */
    OnnxGraph(String name) {
        graph = new Message().put(2, name);
    }

    /** A node's integers: {@code strides}, {@code axis} … */
    static Message attribute(String name, long... values) {
        Message attribute = new Message().put(1, name);
        for (long value : values) {
            attribute.put(8, value);
        }
        return attribute.put(20, 7);
    }

    /** A node's integer. */
    static Message attribute(String name, int value) {
        return new Message().put(1, name).put(3, (long) value).put(20, 2);
    }

    /** A node's number. */
    static Message attribute(String name, double value) {
        return new Message().put(1, name).put(2, (float) value).put(20, 1);
    }

    /** Appends a node with one output, whose name is its own. */
    void node(String operator, String output, List<String> inputs, Message... attributes) {
        Message node = new Message();
        inputs.forEach(input -> node.put(1, input));
        node.put(2, output).put(3, output).put(4, operator);
        for (Message attribute : attributes) {
            node.put(5, attribute);
        }
        graph.put(1, node);
    }

    /** Appends a tensor that the model holds, as fp32 whatever it was. */
    void initialiser(String name, Tensor tensor) {
        try (PointerScope scope = new PointerScope()) {
            initialiser(name, Tensors.bytes(tensor.detach().cpu().to(ScalarType.Float)), Tensors.shape(tensor));
        }
    }

    /** Appends a number that the model holds. */
    void initialiser(String name, double value) {
        try (PointerScope scope = new PointerScope()) {
            initialiser(name, Tensors.bytes(Tensors.of(new float[] {(float) value}, 1)));
        }
    }

    private void initialiser(String name, byte[] littleEndian, long... shape) {
        Message tensor = new Message();
        for (long size : shape) {
            tensor.put(1, size);
        }
        tensor.put(2, FLOAT).put(8, name).put(9, UnsafeByteOperations.unsafeWrap(littleEndian));
        graph.put(5, tensor);
    }

    /** The images that come in: [batch, channels, height, width]. */
    void input(String name, Shape shape) {
        graph.put(11, value(name, shape.channels(), shape.height(), shape.width()));
    }

    /** The scores that go out: [batch, classes]. */
    void output(String name, int classes) {
        graph.put(12, value(name, classes));
    }

    /** fp32 of any batch. */
    private static Message value(String name, long... sizes) {
        Message shape = new Message().put(1, new Message().put(2, BATCH));
        for (long size : sizes) {
            shape.put(1, new Message().put(1, size));
        }
        Message tensor = new Message().put(1, FLOAT).put(2, shape);
        return new Message().put(1, name).put(2, new Message().put(1, tensor));
    }

    /** The whole model, with texts that runtimes show. */
    Message model(Map<String, String> metadata) {
        Message model = new Message()
                .put(1, IR_VERSION)
                .put(2, "kofn")
                .put(3, BuildInfo.current().version())
                .put(7, graph)
                .put(8, new Message().put(1, "").put(2, OPSET));
        metadata.forEach((key, text) -> model.put(14, new Message().put(1, key).put(2, text)));
        return model;
    }
}
