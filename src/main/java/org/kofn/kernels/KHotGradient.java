package org.kofn.kernels;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.kofn.torch.Tensors;

/**
 * The gradient of the relaxed k-hot mask: straight-through to the sum of k softmaxes at temperature τ, each over what
 * is not yet drawn, drawn in descending order (sampling without replacement as in Xie and Ermon, "Reparameterizable
 * subset sampling via continuous relaxations", IJCAI 2019; used for masks by Gonzalez-Carabarin et al., "Dynamic
 * Probabilistic Pruning", IEEE TNNLS 2024).
 *
 * <p>Closed form in O(n + k) a group, never the k softmaxes. With s = y/τ, the winners s₁ ≥ … ≥ s_k, v the upstream
 * gradient, and all exponents ≤ 0:
 *
 * <pre>
 *   losers    w_j = exp(s_j − s_k),  D' = Σ w_j,  Y = Σ w_j (v_k − v_j)
 *   suffix    t = k: D = 1 + D',  X = Y/D
 *             t &lt; k: M = exp(s_{t+1} − s_t)·D_{t+1},  D_t = 1 + M,  X_t = (M/D_t)·((v_t − v_{t+1}) + X_{t+1})
 *   prefix    t = 1: C = 1/D,  U = X/D
 *             t &gt; 1: a = exp(s_t − s_{t−1}),  C_t = 1/D_t + a·C_{t−1},  U_t = X_t/D_t + a·((v_t − v_{t−1})·C_{t−1} + U_{t−1})
 *   winner t  ∂L/∂s = U_t        loser j  ∂L/∂s = w_j·((v_j − v_k)·C_k + U_k)
 * </pre>
 *
 * Only differences of v appear, so that nothing cancels when every softmax is saturated. The textbook form, "the
 * normaliser minus what was drawn", loses all digits in single precision at τ ≤ 0.5.
 */
final class KHotGradient {
    private static final Scalar ONE = Tensors.keep(new Scalar(1.0));

    private KHotGradient() {}

    /**
     * Writes ∂L/∂y.
     *
     * @param y perturbed logits [G, n]
     * @param values the k largest, descending [G, k]
     * @param indices their candidates [G, k]
     * @param v ∂L/∂mask [G, n]
     * @param temperature τ
     * @param out receives ∂L/∂y [G, n]
     */
    static void write(Tensor y, Tensor values, Tensor indices, Tensor v, double temperature, Tensor out) {
        long k = values.size(1);
        Scalar inverseTau = new Scalar(1 / temperature);
        Tensor vWinners = v.gather(1, indices);
        Tensor vLast = vWinners.narrow(1, k - 1, 1);

        // Losers. A winner's exponent may overflow; it is overwritten at once.
        Tensor w = y.sub(values.narrow(1, k - 1, 1)).mul_(inverseTau).exp_().scatter_(1, indices, new Scalar(0.0));
        Tensor difference = v.sub(vLast);
        Tensor d = w.sum(1).add_(ONE);
        Tensor x = w.mul(difference).sum(1).neg_().div_(d);

        // Winners, one row a draw, so that each step of the recurrences is a few operations on [G].
        Tensor s = values.t().contiguous().mul_(inverseTau);
        Tensor vw = vWinners.t().contiguous();
        Tensor a =
                k == 1 ? null : s.narrow(0, 1, k - 1).sub(s.narrow(0, 0, k - 1)).exp_();
        Tensor step = k == 1 ? null : vw.narrow(0, 0, k - 1).sub(vw.narrow(0, 1, k - 1));
        Tensor c = torch.empty_like(s);
        Tensor u = torch.empty_like(s);
        TensorVector rowsD = c.unbind(0);
        TensorVector rowsX = u.unbind(0);
        TensorVector rowsA = k == 1 ? null : a.unbind(0);
        TensorVector rowsStep = k == 1 ? null : step.unbind(0);
        rowsD.get(k - 1).copy_(d);
        rowsX.get(k - 1).copy_(x);
        suffix(k, rowsA, rowsStep, rowsD, rowsX);

        // c holds D and becomes C; u holds X and becomes U.
        c.reciprocal_();
        u.mul_(c);
        if (k > 1) {
            step.neg_();
        }
        prefix(k, rowsA, rowsStep, rowsD, rowsX);

        Tensor lastC = rowsD.get(k - 1).unsqueeze(1);
        Tensor lastU = rowsX.get(k - 1).unsqueeze(1);
        out.copy_(difference.mul_(lastC).add_(lastU).mul_(w));
        out.scatter_(1, indices, u.t().contiguous());
        out.mul_(inverseTau);
    }

    /** D_t and X_t for t = k−1 … 1, in place of the rows of {@code d} and {@code x}. */
    private static void suffix(long k, TensorVector a, TensorVector step, TensorVector d, TensorVector x) {
        for (long t = k - 2; t >= 0; t--) {
            Tensor dt = d.get(t);
            Tensor xt = x.get(t);
            torch.mul_out(dt, a.get(t), d.get(t + 1));
            torch.add_out(xt, step.get(t), x.get(t + 1));
            xt.mul_(dt);
            xt.div_(dt.add_(ONE));
        }
    }

    /** C_t and U_t for t = 2 … k, in place of 1/D_t and X_t/D_t; {@code step} holds v_{t+1} − v_t and is used up. */
    private static void prefix(long k, TensorVector a, TensorVector step, TensorVector c, TensorVector u) {
        for (long t = 1; t < k; t++) {
            Tensor carried = step.get(t - 1);
            carried.mul_(c.get(t - 1)).add_(u.get(t - 1));
            u.get(t).addcmul_(a.get(t - 1), carried);
            c.get(t).addcmul_(a.get(t - 1), c.get(t - 1));
        }
    }
}
