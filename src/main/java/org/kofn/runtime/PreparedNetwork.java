package org.kofn.runtime;

import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.base.KofnException;
import org.kofn.kernels.Precision;
import org.kofn.nn.Network;

/**
 * A trained network made ready for inference: batch norms folded, feature maps without use removed, sums and rectifiers
 * fused into the convolutions before them. It computes what the network does in evaluation mode, up to rounding.
 *
 * @param graph what is left to compute
 * @param removals the layers where feature maps were removed, or were dropped but had to stay
 * @param precision of weights, and of values when the sparse kernels run it
 */
public record PreparedNetwork(InferenceGraph graph, List<Removal> removals, Precision precision)
        implements AutoCloseable {
    /** Copies the list. */
    public PreparedNetwork {
        removals = List.copyOf(removals);
    }

    /** Prepares a network in fp32; otherwise as below. */
    public static PreparedNetwork of(Network network, Map<String, Tensor> tensors, Map<String, ParameterMask> masks) {
        return of(network, tensors, masks, Precision.FP32);
    }

    /**
     * Prepares a network.
     *
     * @param tensors its parameters and buffers by name, of any floating type, on any device; dropped weights are 0.
     *     What is not changed in preparation shares their memory, so nobody may write into them afterwards
     * @param masks of its pruned parameters, by name; those with values need not be among the tensors
     * @param precision to which weights are rounded, once batch norms are folded
     * @throws KofnException (file) when a tensor is missing
     */
    public static PreparedNetwork of(
            Network network, Map<String, Tensor> tensors, Map<String, ParameterMask> masks, Precision precision) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            InferenceGraph folded = MergeConstants.of(FoldScaleShift.of(GraphImport.of(network, tensors, masks)));
            ChannelUse use = new ChannelUse(folded);
            InferenceGraph smaller = FuseEpilogues.of(RemoveChannels.of(folded, use));
            InferenceGraph stored = StoreWeights.of(smaller, precision);
            return new PreparedNetwork(stored.keep(), Removal.report(folded, use), precision);
        }
    }

    @Override
    public void close() {
        graph.close();
    }
}
