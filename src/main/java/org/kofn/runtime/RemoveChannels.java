package org.kofn.runtime;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/**
 * Makes pruned feature maps physical: the channels that {@link ChannelUse} finds useless disappear from the weights on
 * both sides, and what a removed constant contributed goes into the biases of those that read it.
 */
final class RemoveChannels {
    private final InferenceGraph graph;
    private final ChannelUse use;

    private RemoveChannels(InferenceGraph graph, ChannelUse use) {
        this.graph = graph;
        this.use = use;
    }

    /** The smaller graph; its new tensors belong to the caller's scope. */
    static InferenceGraph of(InferenceGraph graph, ChannelUse use) {
        RemoveChannels pass = new RemoveChannels(graph, use);
        List<Op> ops = new ArrayList<>();
        graph.ops().forEach(op -> ops.add(pass.smaller(op)));
        return new InferenceGraph(graph.input(), ops);
    }

    private Op smaller(Op op) {
        if (op instanceof Op.Weighted weighted) {
            boolean whole = use.removed(op.name()).isEmpty()
                    && use.removed(weighted.input()).isEmpty();
            return whole ? op : smaller(weighted);
        } else if (op instanceof Op.ScaleShift norm) {
            Tensor channels = Tensors.indices(use.left(op.name()));
            Tensor scale = norm.scale().index_select(0, channels);
            return new Op.ScaleShift(
                    norm.name(), norm.input(), scale, norm.shift().index_select(0, channels));
        }
        return op;
    }

    private Op.Weighted smaller(Op.Weighted op) {
        int[] outputs = use.left(op.name());
        int[] inputs = use.left(op.input());
        Tensor bias = withConstants(op).index_select(0, Tensors.indices(outputs));
        return op.with(op.weights().select(outputs, inputs), bias);
    }

    /** The bias with what the removed constants add to it. */
    private Tensor withConstants(Op.Weighted op) {
        double[] constant = use.constants().of(op.input());
        BitSet removed = use.removed(op.input());
        // A channel that is removed and no constant is read by none of the outputs that stay. Rounded to fp32, since
        // that is what the network itself computes with.
        float[] gone = new float[constant.length];
        for (int i = removed.nextSetBit(0); i >= 0; i = removed.nextSetBit(i + 1)) {
            gone[i] = Double.isNaN(constant[i]) ? 0 : (float) constant[i];
        }
        if (IntStream.range(0, gone.length).allMatch(i -> gone[i] == 0)) {
            return op.bias();
        }
        Tensor constants = Tensors.of(gone, gone.length).to(ScalarType.Double);
        return op.bias().to(ScalarType.Double).add(op.weights().sums(constants)).to(ScalarType.Float);
    }
}
