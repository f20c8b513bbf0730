package org.kofn.torch;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.openblas.presets.openblas;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.KofnException;

/**
 * The device a run uses: {@code auto}, {@code cpu}, {@code cuda} or {@code cuda:N}. Whoever asks for one, or sets the
 * threads, has oneDNN checked first: see {@link OneDnn}.
 */
public final class Devices {
    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,2}))?");

    private Devices() {}

    /**
     * The device that {@code text} names; {@code auto} is the first CUDA device, or the CPU where there is none.
     *
     * @throws KofnException (usage) for a name that is none, (device) for a CUDA device that is not there
     */
    public static Device parse(String text) {
        OneDnn.guard();
        if (text.equals("auto")) {
            return new Device(cudaAvailable() ? "cuda:0" : "cpu");
        }
        if (text.equals("cpu")) {
            return new Device("cpu");
        }
        Matcher matcher = CUDA.matcher(text);
        if (!matcher.matches()) {
            throw KofnException.usage("device: '%s' is none; write auto, cpu, cuda or cuda:1", text);
        }
        if (!cudaAvailable()) {
            throw KofnException.device(
                    "device: %s: no usable CUDA device here; `kofn doctor` says what is missing, `--device cpu` runs"
                            + " without",
                    text);
        }
        int index = matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1));
        long count = torch.cuda_device_count();
        if (index >= count) {
            throw KofnException.device(
                    "device: %s: this machine has %d CUDA device(s); the last is cuda:%d", text, count, count - 1);
        }
        return new Device("cuda:" + index);
    }

    /** Whether LibTorch can run on a CUDA device: a driver, a device and the natives of the {@code gpu} profile. */
    public static boolean cudaAvailable() {
        return torch.cuda_is_available();
    }

    /**
     * Lets so many CPU threads compute. LibTorch's OpenMP pool and OpenBLAS's own are told both: left alone, the second
     * takes every core for matrix products, and its threads go on spinning beside the first.
     */
    public static void setThreads(int threads) {
        OneDnn.guard();
        torch.set_num_threads(threads);
        openblas.blas_set_num_threads(threads);
    }

    /** Whether tensors on this device live in the memory of an NVIDIA GPU. */
    public static boolean isCuda(Device device) {
        return device.is_cuda();
    }

    /** The device in words, such as {@code cpu (AVX512, 2 threads)} or {@code cuda:0}. */
    public static String describe(Device device) {
        if (isCuda(device)) {
            return device.str().getString();
        }
        return "cpu (" + torch.get_cpu_capability().getString() + ", " + torch.get_num_threads() + " threads)";
    }
}
