package org.kofn.mask;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * How sure the groups of a layer are of their choice, and how much they differ. With p_i = softmax(φ_i) over the n
 * candidates of group i and H the entropy:
 *
 * <ul>
 *   <li>confidence = 1 − mean_i H(p_i) / log n: 0 for uniform logits, 1 when every group has made up its mind;
 *   <li>diversity = (H(mean_i p_i) − mean_i H(p_i)) / log n, the generalised Jensen–Shannon divergence between the
 *       groups (Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37, 1991): 0 when all
 *       groups want the same candidates.
 * </ul>
 *
 * Both lie in [0, 1]. A layer with a single candidate has nothing to choose: confidence 1, diversity 0.
 *
 * @param confidence in [0, 1]
 * @param diversity in [0, 1]
 */
public record MaskMetrics(double confidence, double diversity) {

    /** The measures of logits [G, n]. */
    public static MaskMetrics of(Tensor logits) {
        long n = logits.size(1);
        if (n == 1) {
            return new MaskMetrics(1, 0);
        }
        try (PointerScope scope = new PointerScope()) {
            Tensor logP = logits.detach().to(torch.ScalarType.Double).log_softmax(1);
            Tensor p = logP.exp();
            double meanEntropy = -p.mul(logP).sum(1).mean().item_double();
            Tensor mean = p.mean(0);
            // The clamp keeps 0·log 0 at 0.
            double entropyOfMean =
                    -mean.mul(mean.clamp_min(new Scalar(1e-300)).log()).sum().item_double();
            double logN = Math.log(n);
            return new MaskMetrics(clamp(1 - meanEntropy / logN), clamp((entropyOfMean - meanEntropy) / logN));
        }
    }

    private static double clamp(double value) {
        return Math.max(0, Math.min(1, value));
    }
}
