package org.kofn.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.kofn.base.BuildInfo;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.base.Machine;
import org.kofn.data.DataCatalog;
import org.kofn.kernels.Kernels;
import org.kofn.kernels.NativeLibrary;
import org.kofn.runtime.DispatchTable;
import org.kofn.torch.CudaDevice;
import org.kofn.torch.Devices;
import org.kofn.torch.OneDnn;
import org.kofn.torch.TorchError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code kofn doctor}: what this machine has, which of it kofn uses, and the command that brings what is missing. */
@Command(
        name = "doctor",
        description = "Shows versions, CPU features, CUDA with every library it needs, and which kernels run and why.",
        footer = {"%nExamples:", "  kofn doctor", "  KOFN_CUDA_LIBS=/opt/cuda/lib64 kofn doctor"})
final class DoctorCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    private final Machine machine = Machine.here();
    private PrintWriter out;

    @Override
    public Integer call() {
        out = spec.commandLine().getOut();
        BuildInfo build = BuildInfo.current();
        row("kofn", build.version() + " (commit " + build.commit() + ")");
        row("Java", Versions.java() + ", heap up to " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB");
        row("system", system());
        row("CPU", machine.processor().orElse("unknown") + ": " + String.join(" ", machine.features()));
        boolean torchLoads = libTorch(build);
        boolean cudaFine = cuda(torchLoads);
        if (torchLoads) {
            try (Device device = Devices.parse("auto")) {
                row("dispatch", dispatch(device));
            }
        }
        row("data", DataCatalog.home() + " (KOFN_DATA names another folder)");
        return (torchLoads && cudaFine ? ExitCode.OK : ExitCode.DEVICE).code();
    }

    /** What decides between sparse kernels and dense operations; a damaged file is something to report here. */
    private static String dispatch(Device device) {
        try {
            return DispatchTable.open(DataCatalog.home(), device).describe();
        } catch (KofnException e) {
            return e.getMessage();
        }
    }

    private String system() {
        String text = System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                + System.getProperty("os.arch") + ", " + Runtime.getRuntime().availableProcessors() + " processors";
        return text
                + machine.memory("MemTotal")
                        .map(mib -> ", " + mib + " MiB of memory")
                        .orElse("")
                + machine.memory("MemAvailable")
                        .map(mib -> ", " + mib + " MiB free")
                        .orElse("");
    }

    /** LibTorch and the kernels; false where its native library does not load. */
    private boolean libTorch(BuildInfo build) {
        String version = build.libTorch() + " (presets " + build.presets() + ")";
        try (Device device = Devices.parse("auto")) {
            row(
                    "LibTorch",
                    version + ", " + natives() + ", "
                            + torch.get_cpu_capability().getString() + ", " + torch.get_num_threads() + " threads");
            row("oneDNN", OneDnn.whyOff() == null ? "on" : "off: it " + OneDnn.whyOff());
            row("device", Devices.describe(device));
            Kernels.Choice choice = Kernels.choose("auto", device);
            row("kernels", choice.kernels().name() + ": " + choice.reason());
            for (NativeLibrary library : List.of(NativeLibrary.cpu(), NativeLibrary.cuda())) {
                if (!library.state().equals(choice.reason())) {
                    row("", library.name() + (library.loads() ? " loads: " : " does not run: ") + library.state());
                }
            }
            NativeLibrary sparse = NativeLibrary.sparse();
            row("sparse", (sparse.loads() ? "" : "LibTorch's operations, slower: ") + sparse.state());
            NativeLibrary cuda = NativeLibrary.cuda();
            if (Devices.isCuda(device)) {
                row("", (cuda.loads() ? "on CUDA " : "on CUDA LibTorch's dense operations: ") + cuda.state());
            }
            return true;
        } catch (LinkageError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            row("LibTorch", version + " does not load: " + TorchError.firstLine(cause));
            return false;
        }
    }

    /** Which of the natives run: those for the CPU, or those that can use a GPU. */
    private static String natives() {
        String path = Loader.getLoadedLibraries().getOrDefault("torch_cpu", "");
        return path.contains("-gpu") ? "natives for CPU and GPU" : "natives for the CPU";
    }

    /** The driver, the devices and CUDA's libraries; false where a GPU is there that kofn cannot use. */
    private boolean cuda(boolean torchLoads) {
        List<String> devices =
                Processes.lines("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader");
        boolean asked = "1".equals(System.getenv("KOFN_GPU"));
        if (machine.nvidiaDriver().isEmpty() && devices.isEmpty() && !asked) {
            row("CUDA", "no NVIDIA driver here: everything runs on the CPU");
            return true;
        }
        boolean usable = torchLoads && Devices.cudaAvailable();
        row(
                "CUDA",
                "driver " + machine.nvidiaDriver().orElse(devices.isEmpty() ? "missing" : "present") + ", "
                        + (usable ? torch.cuda_device_count() + " usable device(s)" : "no usable device"));
        devices.forEach(device -> row("", device));
        if (usable) {
            for (int index = 0; index < torch.cuda_device_count(); index++) {
                row("", "cuda:" + index + " " + describe(index));
            }
        }
        Map<CudaLibraries.Library, Optional<Path>> located = CudaLibraries.locate(CudaLibraries.loaderFolders());
        located.forEach((library, path) -> row(
                "",
                String.format(
                        "%-19s %s", library.name(), path.map(Path::toString).orElse("missing"))));
        CudaLibraries.installCommand(located).ifPresent(command -> {
            row("", "This brings what is missing (or name its folders in KOFN_CUDA_LIBS):");
            row("", command);
        });
        return usable;
    }

    /** What CUDA's run-time library says, or why it cannot be asked: its natives come with the gpu profile. */
    private static String describe(int index) {
        try {
            return CudaDevice.describe(index);
        } catch (LinkageError e) {
            return "(no details: " + TorchError.firstLine(e.getCause() == null ? e : e.getCause()) + ")";
        }
    }

    private void row(String name, String text) {
        out.println(String.format("%-9s %s", name, text).stripTrailing());
    }
}
