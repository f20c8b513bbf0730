package org.kofn.runtime;

/**
 * What decides where nothing was measured: a rule that no machine it was tried on loses much by. Kernels of several
 * taps use every loaded activation several times, those of one tap only once, so they pay later. A linear layer does
 * that too, but its weights are what takes time, and of those it reads only the kept.
 */
final class DefaultDispatch implements Dispatch {
    private static final Dispatch ON_GPU = new DefaultGpuDispatch();

    /** Colours, with which dense kernels fill their vectors badly: the sparse ones win even when all are kept. */
    private static final int FEW_INPUTS = 4;

    /** Of a linear layer, which take less time than LibTorch needs to begin: classifiers of ten classes, say. */
    private static final int FEW_WEIGHTS = 1 << 14;

    private static final String SOURCE = "default rule";

    private static final BreakEven ALWAYS = new BreakEven(1, SOURCE);
    private static final BreakEven SEVERAL_TAPS = new BreakEven(0.6, SOURCE);
    private static final BreakEven ONE_TAP = new BreakEven(0.4, SOURCE);
    private static final BreakEven LINEAR = new BreakEven(0.6, SOURCE);

    @Override
    public BreakEven of(LayerCase layer) {
        if (layer.onGpu()) {
            return ON_GPU.of(layer);
        }
        LayerShape shape = layer.layer();
        if (shape.window() == null) {
            return shape.inputs() * shape.outputs() <= FEW_WEIGHTS ? ALWAYS : LINEAR;
        }
        if (shape.window().height() * shape.window().width() == 1) {
            return ONE_TAP;
        }
        return shape.inputs() <= FEW_INPUTS ? ALWAYS : SEVERAL_TAPS;
    }
}
