package org.kofn.mask;

/** What a candidate is: the unit that is kept or dropped. */
public enum Granularity {
    /** One weight; n is every input of an output neuron. */
    WEIGHT("weight"),
    /** One R×S kernel; n is every input channel of a feature map. */
    KERNEL("kernel"),
    /** One filter, that is one feature map; n is every feature map of the layer. */
    FILTER("filter"),
    /** One weight among m consecutive input channels; 2:4 and its friends. */
    N_M("n:m");

    private final String label;

    Granularity(String label) {
        this.label = label;
    }

    /** The name in recipes and reports. */
    public String label() {
        return label;
    }
}
