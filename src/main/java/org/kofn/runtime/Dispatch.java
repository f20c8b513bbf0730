package org.kofn.runtime;

/** Decides what computes a layer: the sparse kernel up to its break-even density, the dense operation above. */
@FunctionalInterface
public interface Dispatch {
    /** The break-even density of a layer as it is run. */
    BreakEven of(LayerCase layer);

    /** One density for all layers: 1 gives all to the sparse kernels, 0 none. */
    static Dispatch at(double density) {
        BreakEven given = new BreakEven(density, "given");
        return layer -> given;
    }
}
