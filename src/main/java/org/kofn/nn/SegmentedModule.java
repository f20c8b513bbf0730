package org.kofn.nn;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;

/**
 * A module's layers in {@link Segment}s that are called one by one, in training mode; over the module's own tensors.
 */
public final class SegmentedModule implements AutoCloseable {
    private final JitModule module;
    private final List<Segment> segments;

    /** Takes over a module that outlives the caller's scope. */
    SegmentedModule(JitModule module, List<Segment> segments) {
        this.module = module;
        this.segments = List.copyOf(segments);
    }

    /** The segments in the order they run. */
    public List<Segment> segments() {
        return segments;
    }

    /**
     * Runs one segment. Call it inside a {@code PointerScope}: the results belong to the caller's scope.
     *
     * @param index of the segment
     * @param inputs in the order of {@link Segment#inputs}
     * @return in the order of {@link Segment#outputs}
     */
    public List<Tensor> run(int index, List<Tensor> inputs) {
        List<Tensor> outputs = new ArrayList<>();
        IValueVector arguments =
                new IValueVector(inputs.stream().map(IValue::new).toArray(IValue[]::new));
        TensorVector results = module.get_method(name(index)).apply(arguments).toTensorVector();
        for (long i = 0; i < results.size(); i++) {
            outputs.add(new Tensor(results.get(i)));
        }
        return outputs;
    }

    /** What a segment's method is called. */
    static String name(int index) {
        return "segment_" + index;
    }

    @Override
    public void close() {
        module.close();
    }
}
