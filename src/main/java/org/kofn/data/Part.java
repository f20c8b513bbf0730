package org.kofn.data;

/** The part of a data set that its authors published for training, or the one for the last look. */
public enum Part {
    /** For training; a validation part is split off with {@link Split}. */
    TRAIN,
    /** Looked at once, at the end. */
    TEST;

    /** {@code train} or {@code test}. */
    public String word() {
        return this == TRAIN ? "train" : "test";
    }
}
