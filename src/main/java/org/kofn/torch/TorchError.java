package org.kofn.torch;

/** A LibTorch error is a {@link RuntimeException} whose first line says what is wrong; native frames follow. */
public final class TorchError {
    private TorchError() {}

    /** The human line of a LibTorch error: its first, without the native frames. */
    public static String firstLine(Throwable error) {
        String message = error.getMessage();
        if (message == null || message.isBlank()) {
            return error.getClass().getSimpleName();
        }
        return message.lines().findFirst().orElse(message).trim();
    }
}
