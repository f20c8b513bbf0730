package org.kofn.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;
import org.bytedeco.javacpp.Loader;
import org.kofn.kernels.jni.KofnCpu;
import org.kofn.kernels.jni.KofnCuda;
import org.kofn.kernels.jni.KofnSparseConv;
import org.kofn.kernels.jni.KofnSparseCuda;
import org.kofn.kernels.jni.KofnSparseLinear;
import org.kofn.torch.Devices;
import org.kofn.torch.TorchError;

/**
 * Whether a library of the native kernels runs here, and if not, why: it was not built, or it does not load. LibTorch
 * runs without any; {@code kofn doctor} shows them.
 *
 * @param name {@code kofn_cpu}, {@code kofn_sparse} or {@code kofn_cuda}
 * @param loads whether calls can be made
 * @param state one line for people
 */
public record NativeLibrary(String name, boolean loads, String state) {
    /** What the build says of itself; written by it beside the classes. */
    private static final String BUILD = "/org/kofn/kernels/native.properties";

    /** The kernels of the CPU. */
    public static NativeLibrary cpu() {
        return Holder.CPU;
    }

    /** The sparse convolutions and linear layers of the CPU, which {@code runtime.SparseNetwork} calls. */
    public static NativeLibrary sparse() {
        return Holder.SPARSE;
    }

    /**
     * The kernels of NVIDIA GPUs, sparse convolutions and linear layers among them; they load only where LibTorch can
     * use one.
     */
    public static NativeLibrary cuda() {
        return Holder.CUDA;
    }

    /** Loads on first use. */
    private static final class Holder {
        static final NativeLibrary CPU =
                load("kofn_cpu", "cpu", () -> Loader.load(KofnCpu.class), () -> "variant " + Cpu.variant());
        static final NativeLibrary SPARSE = load(
                "kofn_sparse",
                "cpu",
                () -> {
                    Loader.load(KofnSparseConv.class);
                    Loader.load(KofnSparseLinear.class);
                },
                () -> "variant " + Cpu.variant());
        static final NativeLibrary CUDA = Devices.cudaAvailable()
                ? load(
                        "kofn_cuda",
                        "cuda",
                        () -> {
                            Loader.load(KofnCuda.class);
                            Loader.load(KofnSparseCuda.class);
                        },
                        () -> "for NVIDIA GPUs")
                : new NativeLibrary("kofn_cuda", false, ofBuild("cuda", "there is no usable GPU"));
    }

    private static NativeLibrary load(
            String name, String key, Runnable loading, java.util.function.Supplier<String> variant) {
        String built = ofBuild(key, null);
        if (built != null) {
            return new NativeLibrary(name, false, built);
        }
        try {
            // LibTorch first: it brings the OpenMP runtime whose threads both then share.
            Loader.load(org.bytedeco.pytorch.presets.torch.class);
            loading.run();
            return new NativeLibrary(name, true, name + ", " + variant.get());
        } catch (LinkageError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            return new NativeLibrary(name, false, name + " does not load: " + TorchError.firstLine(cause));
        }
    }

    /** Why the build made no such library, or else {@code otherwise}. */
    private static String ofBuild(String key, String otherwise) {
        Properties build = new Properties();
        try (InputStream in = NativeLibrary.class.getResourceAsStream(BUILD)) {
            if (in != null) {
                build.load(in);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String state = build.getProperty(key, "kofn was built without its native kernels");
        return state.equals("built") ? otherwise : state;
    }
}
