package org.kofn.runtime;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.torch.Tensors;

/**
 * Lets one constant feature map stand for all. A convolution that pads its input with zeros cannot have a constant c_j
 * in its bias, since the constant ends at the image's edge; but all constants end there alike, so the kernels that read
 * them can be replaced by one that reads the largest, c_m: Σ_j c_j·W_j = c_m·Σ_j (c_j/c_m)·W_j. Nothing reads the
 * others any more, and {@link ChannelUse} finds them useless. Batch norms make this the common case: what they leave of
 * a dropped filter is their shift. Layers with lists of kept kernels stay as they are, for their k's sake.
 */
final class MergeConstants {
    private MergeConstants() {}

    /** The same graph with other weights; new tensors belong to the caller's scope. Epilogues must be empty. */
    static InferenceGraph of(InferenceGraph graph) {
        ChannelConstants constants = new ChannelConstants(graph, graph.shapes());
        List<Op> ops = new ArrayList<>();
        for (Op op : graph.ops()) {
            boolean merge =
                    op instanceof Op.Weighted conv && conv.padded() && conv.groups() == 1 && conv.kept() == null;
            ops.add(merge ? merged((Op.Weighted) op, constants.of(op.inputs().get(0))) : op);
        }
        return new InferenceGraph(graph.input(), ops);
    }

    private static Op merged(Op.Weighted op, double[] constant) {
        int largest = -1;
        int count = 0;
        for (int i = 0; i < constant.length; i++) {
            if (constant[i] != 0 && Double.isFinite(constant[i])) {
                count++;
                largest = largest < 0 || Math.abs(constant[i]) > Math.abs(constant[largest]) ? i : largest;
            }
        }
        int one = largest;
        return count < 2
                ? op
                : op.with(Weights.dense(Tensors.only(() -> merged(op.weights().dense(), constant, one))), op.bias());
    }

    /** The weight [O, I, R, S] with the kernels of constants summed at {@code largest}, and zero elsewhere. */
    private static Tensor merged(Tensor weight, double[] constant, int largest) {
        float[] share = new float[constant.length];
        float[] stays = new float[constant.length];
        for (int i = 0; i < constant.length; i++) {
            boolean merges = constant[i] != 0 && Double.isFinite(constant[i]);
            share[i] = merges ? (float) (constant[i] / constant[largest]) : 0;
            stays[i] = merges ? 0 : 1;
        }
        long[] perInput = {1, constant.length, 1, 1};
        Tensor sum = weight.to(ScalarType.Double)
                .mul(Tensors.of(share, perInput))
                .sum(new long[] {1}, false, new ScalarTypeOptional());
        Tensor rest = weight.mul(Tensors.of(stays, perInput));
        rest.select(1, largest).copy_(sum);
        return rest;
    }
}
