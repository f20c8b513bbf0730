package org.kofn.runtime;

/**
 * What happens to the sums of a convolution or linear layer before they are stored: bias, then the residual is added,
 * then the rectifier applied. In one pass over the output, where LibTorch makes three.
 *
 * @param residual the value that is added, of the output's shape; null for none
 * @param rectifier applied last
 */
public record Epilogue(String residual, Rectifier rectifier) {
    /** Sums are stored as they are. */
    public static final Epilogue NONE = new Epilogue(null, Rectifier.NONE);

    /** The activations that cost nothing in an epilogue; others stay operations of their own. */
    public enum Rectifier {
        /** x. */
        NONE,
        /** max(x, 0). */
        RELU,
        /** min(max(x, 0), 6). */
        RELU6
    }

    /** The same with a residual. */
    Epilogue plus(String value) {
        return new Epilogue(value, rectifier);
    }

    /** The same with a rectifier. */
    Epilogue then(Rectifier last) {
        return new Epilogue(residual, last);
    }
}
