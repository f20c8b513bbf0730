package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;

class FailuresTest {
    @Test
    void everyKnownFailureKeepsItsCodeAndLine() {
        assertExplained(KofnException.usage("a"), ExitCode.USAGE, "a");
        assertExplained(KofnException.file("b"), ExitCode.FILE, "b");
        assertExplained(KofnException.device("c"), ExitCode.DEVICE, "c");
        assertExplained(KofnException.diverged("d"), ExitCode.DIVERGED, "d");
        assertExplained(KofnException.verification("e"), ExitCode.VERIFICATION, "e");
        assertExplained(new KofnException(ExitCode.INTERRUPTED, "f", null), ExitCode.INTERRUPTED, "f");
        assertExplained(new KofnException(ExitCode.TERMINATED, "g", null), ExitCode.TERMINATED, "g");
    }

    @Test
    void libTorchIsOneLineWithoutItsFrames() {
        Throwable error = null;
        try (Tensor a = torch.ones(2, 3);
                Tensor b = torch.ones(2, 3)) {
            a.mm(b).close();
        } catch (RuntimeException e) {
            error = e;
        }
        Failures.Failure failure = Failures.explain(error);
        assertThat(failure.code()).isEqualTo(ExitCode.INTERNAL);
        assertThat(failure.line()).isEqualTo("LibTorch: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
    }

    @Test
    void deviceMemoryThatRunsOutHasAWayOut() {
        RuntimeException error = new RuntimeException("CUDA out of memory. Tried to allocate 2.00 GiB.\nframe #0");
        error.setStackTrace(
                new StackTraceElement[] {new StackTraceElement("org.bytedeco.pytorch.Tensor", "mm", null, -2)});
        assertExplained(
                error,
                ExitCode.DEVICE,
                "CUDA out of memory. Tried to allocate 2.00 GiB. Less is needed with a smaller batch: --set batch=N");
    }

    @Test
    void aNativeLibraryThatDoesNotLoadSendsToTheDoctor() {
        Error inner = new UnsatisfiedLinkError("libcudart.so.13: cannot open shared object file");
        Failures.Failure failure = Failures.explain(new ExceptionInInitializerError(inner));
        assertThat(failure.code()).isEqualTo(ExitCode.DEVICE);
        assertThat(failure.line()).contains("libcudart.so.13: cannot open").contains("`kofn doctor`");
    }

    @Test
    void filesAndBugsAreToldApart() {
        assertExplained(
                new UncheckedIOException(new NoSuchFileException("x.bin")),
                ExitCode.FILE,
                "NoSuchFileException: x.bin");
        assertExplained(
                new IllegalStateException("two masks"),
                ExitCode.INTERNAL,
                "internal error: IllegalStateException: two masks; --stacktrace shows where");
        // A RuntimeException of our own, not from native code, is a bug as well.
        assertExplained(
                new RuntimeException("odd"),
                ExitCode.INTERNAL,
                "internal error: RuntimeException: odd; --stacktrace shows where");
    }

    @Test
    void aFullHeapNamesTheOption() {
        assertThat(Failures.explain(new OutOfMemoryError("Java heap space")).line())
                .contains("(Java heap space)")
                .endsWith("KOFN_JAVA_OPTS=-Xmx8g gives it more");
    }

    private static void assertExplained(Throwable error, ExitCode code, String line) {
        assertThat(Failures.explain(error)).isEqualTo(new Failures.Failure(code, line));
    }
}
