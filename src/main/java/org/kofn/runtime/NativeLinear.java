package org.kofn.runtime;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.kofn.kernels.Precision;
import org.kofn.kernels.jni.KofnSparseLinear;
import org.kofn.torch.Tensors;

/**
 * A plan of {@code cuda/sparse_linear} for one layer and one size of batch: kept weights packed, loops chosen. Input
 * and output are as LibTorch has them, [batch, features].
 */
final class NativeLinear implements NativePlan {
    /** What the contract allows. */
    private static final int MOST_FEATURES = 1 << 20;

    private final KofnSparseLinear.Plan plan;
    private final int threads;

    /**
     * Makes a plan.
     *
     * @param precision of weights, input and output
     * @param threads the most that a run may use
     */
    NativeLinear(Op.Linear op, int batch, Precision precision, int threads) {
        this.threads = threads;
        try (PointerScope scope = new PointerScope()) {
            KofnSparseLinear.Linear linear = description(op);
            PointerPointer<KofnSparseLinear.Plan> made = new PointerPointer<>(1);
            int status = KofnSparseLinear.open(linear, batch, precision.ordinal(), threads, made);
            NativePlan.check("layer " + op.name(), status);
            plan = Tensors.keep(new KofnSparseLinear.Plan(made.get(0)));
        }
    }

    /** A layer as the native kernels are told of it; it belongs to the caller's scope. */
    static KofnSparseLinear.Linear description(Op.Linear op) {
        KeptWeights weights = KeptWeights.of(op);
        return new KofnSparseLinear.Linear()
                .inputs(weights.kept().inputs())
                .outputs(weights.kept().outputs())
                .share(weights.kept().share())
                .kept(weights.k())
                .activation(op.epilogue().rectifier().ordinal())
                .indices(weights.indices())
                .weights(weights.weights())
                .bias(op.bias().data_ptr_float());
    }

    /** Whether the native kernels know layers of that size. */
    static boolean computes(long inputs, long outputs) {
        return Math.max(inputs, outputs) <= MOST_FEATURES;
    }

    @Override
    public void run(
            FloatPointer input, FloatPointer output, FloatPointer residual, FloatPointer workspace, Pointer stream) {
        NativePlan.check("linear layer", KofnSparseLinear.run(plan, input, output, residual, workspace, threads));
    }

    @Override
    public long workspaceBytes() {
        return Float.BYTES * KofnSparseLinear.workspace(plan);
    }

    @Override
    public long bytes() {
        return KofnSparseLinear.bytes(plan);
    }

    @Override
    public String describe() {
        try (PointerScope scope = new PointerScope()) {
            return KofnSparseLinear.describe(plan).getString();
        }
    }

    @Override
    public void close() {
        KofnSparseLinear.close(plan);
        plan.close();
    }
}
